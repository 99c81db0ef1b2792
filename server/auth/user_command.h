/* `frontdesk user`: users, as whoever runs the server manages them. */
#ifndef FRONTDESK_AUTH_USER_COMMAND_H
#define FRONTDESK_AUTH_USER_COMMAND_H

/* argv[0] is "user". Returns the exit status. */
int user_main(int argc, char **argv);

#endif
