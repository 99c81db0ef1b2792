/* The commands that poll and replay by hand. Each answers --help itself and returns the exit status. */
#ifndef FRONTDESK_INGEST_COMMANDS_H
#define FRONTDESK_INGEST_COMMANDS_H

/* `frontdesk sync`: one run of polling, now, by this process. */
int sync_main(int argc, char **argv);

/* `frontdesk replay`: merges again what the journal has. */
int replay_main(int argc, char **argv);

#endif
