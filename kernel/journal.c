/* What `find` asks of each record: whose it is and how long, and whether it changes a catalog.
 *
 * Which records may is parsers/wal/journal_columns.py's word; what they say, Python decodes.
 */
#include <stdlib.h>

#include "crc.h"
#include "walk.h"

enum {
    RMGR_XLOG = 0,
    RMGR_HEAP2 = 9,
    RMGR_HEAP = 10,
    FPI_FOR_HINT = 0xA0,
    FPI = 0xB0,
    HAS_IMAGE = 0x10,
    HAS_HOLE = 0x01,
    LEAST_BYTES = 46,       /* of a record with a block reference and a body */
    MOST_BYTES = 32 << 10,  /* a row's change with the pages that it may carry */
    MOST_STEPS = 64,        /* through the hash table: beyond it somebody chose the xids */
    FIRST_SLOTS = 1 << 12,
    DIGIT_BITS = 11,
    DIGITS = 3,
    DIGIT_VALUES = 1 << DIGIT_BITS,
};

void journal_begin(struct walk *walk)
{
    if (walk->journal.room)
        memset(walk->journal.slots, 0, walk->journal.room * sizeof *walk->journal.slots);
}

void journal_free(struct walk *walk)
{
    free(walk->journal.slots);
}

/* -- how much each transaction wrote ------------------------------------------------------------ */

static struct usage *rows_of(const struct walk *walk)
{
    return (struct usage *)(void *)walk->journal.usage.data;
}

/* Where a transaction's row is named, or would be; NULL after too many steps. */
static uint32_t *slot_of(const struct walk *walk, uint32_t xid)
{
    const struct journal *journal = &walk->journal;
    size_t mask = journal->room - 1, at = (xid * 0x9E3779B1u >> 4) & mask;
    for (int step = 0; step < MOST_STEPS; step++, at = (at + 1) & mask) {
        uint32_t *slot = &journal->slots[at];
        if (!*slot || rows_of(walk)[*slot - 1].xid == xid)
            return slot;
    }
    return NULL;
}

/* A table of twice the size. */
static int widen(struct walk *walk)
{
    struct journal *journal = &walk->journal;
    size_t room = journal->room ? 2 * journal->room : FIRST_SLOTS;
    size_t count = journal->usage.used / sizeof(struct usage);
    uint32_t *slots = calloc(room, sizeof *slots);
    if (!slots)
        return 0;
    free(journal->slots);
    journal->slots = slots;
    journal->room = room;
    for (size_t row = 0; row < count; row++) {
        uint32_t *slot = slot_of(walk, rows_of(walk)[row].xid);
        if (!slot)
            return 0;
        *slot = (uint32_t)row + 1;
    }
    return 1;
}

static void count(struct walk *walk, uint32_t xid, uint32_t total, uint64_t lsn)
{
    struct journal *journal = &walk->journal;
    size_t rows = journal->usage.used / sizeof(struct usage);
    if (2 * (rows + 1) > journal->room && !widen(walk)) {
        walk->stop = ODD;
        return;
    }
    uint32_t *slot = slot_of(walk, xid);
    if (!slot || rows >= UINT32_MAX - 1) {
        walk->stop = ODD;
        return;
    }
    if (*slot) {
        struct usage *usage = rows_of(walk) + *slot - 1;
        usage->records++;
        usage->bytes += total;
        return;
    }
    struct usage first = {lsn, 1, total, xid, 0};
    column_append(walk, &journal->usage, &first, sizeof first);
    *slot = (uint32_t)rows + 1;
}

/* Sorted by the lowest digit first; a digit that all have alike costs no pass. */
const uint32_t *usage_order(struct walk *walk)
{
    size_t rows = walk->journal.usage.used / sizeof(struct usage);
    struct column *order = &walk->journal.order;
    order->used = 0;
    if (order->room < 2 * rows * sizeof(uint32_t) + 1 &&
        !column_grow(walk, order, 2 * rows * sizeof(uint32_t) + 1))
        return NULL;
    const struct usage *usage = rows_of(walk);
    uint32_t *from = (uint32_t *)(void *)order->data, *to = from + rows;
    for (size_t n = 0; n < rows; n++)
        from[n] = (uint32_t)n;
    for (int digit = 0; digit < DIGITS; digit++) {
        uint32_t place[DIGIT_VALUES] = {0}, sum = 0;
        int shift = digit * DIGIT_BITS;
        for (size_t n = 0; n < rows; n++)
            place[usage[n].xid >> shift & (DIGIT_VALUES - 1)]++;
        if (!rows || place[usage[0].xid >> shift & (DIGIT_VALUES - 1)] == rows)
            continue;
        for (int value = 0; value < DIGIT_VALUES; value++) {
            uint32_t here = place[value];
            place[value] = sum;
            sum += here;
        }
        for (size_t n = 0; n < rows; n++)
            to[place[usage[from[n]].xid >> shift & (DIGIT_VALUES - 1)]++] = from[n];
        uint32_t *swapped = from;
        from = to;
        to = swapped;
    }
    return from;
}

/* -- the catalogs' rows ------------------------------------------------------------------------- */

/* Tell whether the first block reference, which follows the header, is of a catalog's page. */
static int is_on_catalog(const struct settings *set, const uint8_t *record, uint32_t total)
{
    uint8_t rmgr = record[17], what = record[16] & 0xF0;
    if (rmgr == RMGR_XLOG ? what != FPI_FOR_HINT && what != FPI
                          : rmgr != RMGR_HEAP && rmgr != RMGR_HEAP2)
        return 0;
    if (total < LEAST_BYTES || total > MOST_BYTES)
        return 0;
    uint32_t at = 36;
    if (record[25] & HAS_IMAGE)
        at += record[32] & set->packed_image_flags && record[32] & HAS_HOLE ? 7 : 5;
    if (at + 4 > total)
        return 0;
    uint32_t number = load32(record + at);
    for (uint32_t n = 0; n < set->catalogs; n++)
        if (set->catalog_files[n] == number)
            return 1;
    return 0;
}

void journal_take(struct walk *walk, const uint8_t *record, uint32_t total, uint64_t lsn,
                  uint64_t end_lsn)
{
    count(walk, load32(record + 4), total, lsn);
    if (is_on_catalog(&walk->set, record, total))
        note_record(walk, &walk->journal.notes, &walk->journal.noted, record, total, lsn, end_lsn);
}
