/* The migrations of sql/migrations, compiled in by the Makefile (build/migrations.c). */
#ifndef FRONTDESK_DB_MIGRATION_FILES_H
#define FRONTDESK_DB_MIGRATION_FILES_H

#include <stddef.h>

struct migration_file {
    int version;      /* the number that the file's name starts with */
    const char *name; /* the file's name without its ending */
    const char *sql;  /* its text */
};

/* The version of the extension that they come with: they, and the server, need it or a later one. */
extern const char migration_extension[];

/* Ascending by version. */
extern const struct migration_file migration_files[];
extern const size_t migration_file_count;

#endif
