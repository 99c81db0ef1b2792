/* `frontdesk key`: keys of programs, as whoever runs the server manages them. */
#ifndef FRONTDESK_AUTH_KEY_COMMAND_H
#define FRONTDESK_AUTH_KEY_COMMAND_H

/* argv[0] is "key". Returns the exit status. */
int key_main(int argc, char **argv);

#endif
