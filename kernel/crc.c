/* The tables of crc.h, worked out once. */
#include "crc.h"

struct crc_tables crc_tables;

static uint32_t after_zeros(uint32_t state, unsigned bytes)
{
    while (bytes--)
        state = state >> 8 ^ crc_tables.byte[0][state & 0xFF];
    return state;
}

static void make_shift(uint32_t table[4][256], unsigned bytes)
{
    for (unsigned lane = 0; lane < 4; lane++) {
        uint32_t bit[8]; /* the map is linear: a byte's is the sum of its bits' */
        for (unsigned n = 0; n < 8; n++)
            bit[n] = after_zeros((uint32_t)1 << (8 * lane + n), bytes);
        for (unsigned value = 0; value < 256; value++) {
            uint32_t sum = 0;
            for (unsigned n = 0; n < 8; n++)
                sum ^= value >> n & 1 ? bit[n] : 0;
            table[lane][value] = sum;
        }
    }
}

void crc_make_tables(void)
{
    for (uint32_t value = 0; value < 256; value++) {
        uint32_t state = value;
        for (int bit = 0; bit < 8; bit++)
            state = state >> 1 ^ (state & 1 ? 0x82F63B78 : 0);
        crc_tables.byte[0][value] = state;
    }
    for (int lane = 1; lane < 8; lane++)
        for (int value = 0; value < 256; value++)
            crc_tables.byte[lane][value] = after_zeros(crc_tables.byte[lane - 1][value], 1);
    uint32_t state = 0xFFFFFFFF;
    for (unsigned n = 0; n < sizeof crc_tables.zeros / sizeof *crc_tables.zeros; n++) {
        crc_tables.zeros[n] = state;
        state = after_zeros(state, 1);
    }
    make_shift(crc_tables.after_long, LONG_STRIDE);
    make_shift(crc_tables.after_short, SHORT_STRIDE);
}
