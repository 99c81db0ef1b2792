/* `frontdesk key`: keys of programs, as whoever runs the server manages them. */
#ifndef FRONTDESK_AUTH_KEY_COMMAND_H
#define FRONTDESK_AUTH_KEY_COMMAND_H

#include "base/command.h"

extern const struct command key_command;

#endif
