/* CRC-32C as WAL records use it: Castagnoli, reflected, initial and final XOR of all ones.
 * Follows src/include/port/pg_crc32c.h. A "state" here is the register before that final XOR.
 */
#ifndef PITR_CRC_H
#define PITR_CRC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "WAL of little-endian servers is read on little-endian machines"
#endif

enum {
    RECORD_HEADER = 24,
    CHECKED_HEADER = 20, /* bytes of it before xl_crc */
    SHORT_BODY = 492,    /* beyond it three streams are faster */
    LONG_STRIDE = 1024,  /* bytes of each of the three streams */
    SHORT_STRIDE = 128,
};

struct crc_tables {
    uint32_t byte[8][256];                                  /* slicing by 8 */
    uint32_t zeros[SHORT_BODY + CHECKED_HEADER + 1];        /* all ones, after n zero bytes */
    uint32_t after_long[4][256], after_short[4][256];       /* a state, after a stride of zeros */
};

extern struct crc_tables crc_tables;

void crc_make_tables(void);

static inline uint16_t load16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t crc_shift(const uint32_t table[4][256], uint32_t state)
{
    return table[0][state & 0xFF] ^ table[1][state >> 8 & 0xFF] ^ table[2][state >> 16 & 0xFF] ^
           table[3][state >> 24];
}

#endif
