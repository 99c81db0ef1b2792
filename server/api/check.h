/* `frontdesk check`: can it serve here, and if not, what is to be done? */
#ifndef FRONTDESK_API_CHECK_H
#define FRONTDESK_API_CHECK_H

/*
 * Looks at settings, database, extension, schema, Retell's key, clock and disk, changing nothing,
 * and prints a line for each. Returns the exit status: 0 when nothing failed, 1 otherwise.
 */
int check_run(void);

/*
 * Asks the server that runs on this machine with these settings whether it is ready (/readyz on
 * ADMIN_PORT): what a container's health check runs. Returns the exit status: 0 when it is.
 */
int check_running(void);

#endif
