/* `frontdesk trigger`: the newcomer's phone. Makes realistic calls and posts their signed webhooks. */
#ifndef FRONTDESK_RETELL_TRIGGER_H
#define FRONTDESK_RETELL_TRIGGER_H

#include "base/command.h"

extern const struct command trigger_command;

#endif
