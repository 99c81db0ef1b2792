/* `frontdesk user`: users, as whoever runs the server manages them. */
#ifndef FRONTDESK_AUTH_USER_COMMAND_H
#define FRONTDESK_AUTH_USER_COMMAND_H

#include "base/command.h"

extern const struct command user_command;

#endif
