/* `frontdesk serve`: builds struct app from the settings, serves until SIGTERM or SIGINT, drains. */
#ifndef FRONTDESK_API_SERVE_H
#define FRONTDESK_API_SERVE_H

/* Returns the exit status: 0 after a clean stop, 1 when it could not start (stderr says why). */
int serve_run(void);

#endif
