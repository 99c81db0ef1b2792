/*
 * Every difference between the PostgreSQL versions that are supported, 15 to 18, is settled here.
 */
#ifndef FRONTDESK_COMPAT_H
#define FRONTDESK_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "PostgreSQL 15 or later is needed"
#endif

/* From 16 on the access to variable-length values has a header of its own. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* From 18 on a library may say its name and version. */
#if PG_VERSION_NUM >= 180000
#define FRONTDESK_MODULE_MAGIC                                                                     \
    PG_MODULE_MAGIC_EXT(.name = "frontdesk", .version = FRONTDESK_EXTENSION_VERSION)
#else
#define FRONTDESK_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* InitMaterializedSRF() had another name in the first release of 15. */
#ifndef MAT_SRF_BLESS
#define InitMaterializedSRF SetSingleFuncCall
#endif

#endif
