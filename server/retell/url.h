/* Which URLs what callers said may be sent to. */
#ifndef FRONTDESK_RETELL_URL_H
#define FRONTDESK_RETELL_URL_H

/*
 * What is wrong with `url`, as the end of a sentence ("needs https: …"), or NULL when it is fine:
 * https anywhere, plain http to this machine only.
 */
const char *url_problem(const char *url);

/* The same of a URL that paths are appended to, and that is told to people when it does not answer. */
const char *url_base_problem(const char *url);

#endif
