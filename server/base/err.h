/*
 * The one vocabulary of failure: what a fallible function returns when "it did not work" is not
 * enough. ERR_OK is zero, so `if (err)` reads as "if it failed".
 */
#ifndef FRONTDESK_BASE_ERR_H
#define FRONTDESK_BASE_ERR_H

#define MUSTCHECK __attribute__((warn_unused_result))

enum err {
    ERR_OK = 0,
    ERR_NOMEM,       /* an allocation failed or a memory cap was reached */
    ERR_INVALID,     /* the caller's data is wrong; asking again will not help */
    ERR_TOO_LARGE,   /* a documented bound was exceeded */
    ERR_UNAVAILABLE, /* the database cannot be reached, or refuses new work */
    ERR_TIMEOUT,     /* a deadline passed */
    ERR_BUSY,        /* a bounded queue is full */
    ERR_DATA,        /* the database refused these values (SQLSTATE class 22 or 23) */
    ERR_CLOSED,      /* the peer went away */
    ERR_INTERNAL,    /* a bug, or a state that cannot be */
};

/* The constant's name without its prefix, lower case, for log lines ("timeout"). */
const char *err_name(enum err err);

#endif
