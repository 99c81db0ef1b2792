/* cmocka, after the headers that it must be preceded by. */
#ifndef FRONTDESK_TESTS_UNIT_H
#define FRONTDESK_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

#endif
