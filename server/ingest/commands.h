/* The commands that poll and replay by hand. */
#ifndef FRONTDESK_INGEST_COMMANDS_H
#define FRONTDESK_INGEST_COMMANDS_H

#include "base/command.h"

/* `frontdesk sync`: one run of polling, now, by this process. */
extern const struct command sync_command;

/* `frontdesk replay`: merges again what the journal has. */
extern const struct command replay_command;

#endif
