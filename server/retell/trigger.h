/* `frontdesk trigger`: the newcomer's phone. Makes realistic calls and posts their signed webhooks. */
#ifndef FRONTDESK_RETELL_TRIGGER_H
#define FRONTDESK_RETELL_TRIGGER_H

/*
 * Runs the command; argv[0] is "trigger". Returns the exit status: 0 when every event was accepted,
 * 1 when not, 2 when the command line makes no sense. The result goes to stdout, the rest to stderr.
 */
int trigger_main(int argc, char **argv);

#endif
