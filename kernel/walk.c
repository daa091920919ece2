/* See walk.h for what the walk is; walk_core.h has the loop. */
#include "walk.h"

#include <stdlib.h>

#include "crc.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

enum {
    SHORT_PAGE_HEADER = 24,
    LONG_PAGE_HEADER = 40,
    FIRST_IS_CONTRECORD = 0x0001,
    LONG_HEADER = 0x0002,
    MAX_RECORD = 1020 << 20,   /* XLogRecordMaxSize */
    MAX_NOTED = 1 << 20,       /* beyond it Python decides what it keeps */
    SHORT_MAIN = 255,          /* announces main data: its length in one byte */
    LONG_MAIN = 254,           /* in four */
    HAS_XINFO = 0x80,
    XINFO_DBINFO = 0x001,
    XINFO_SUBXACTS = 0x002,
    XINFO_RELATIONS = 0x004,
    XINFO_INVALIDATIONS = 0x008,
    XINFO_TWOPHASE = 0x010,
    XINFO_DROPPED_STATS = 0x100,
    INVALIDATION_BYTES = 16,
};

static const uint64_t high_bytes[8] = {
    0,
    0xFF00000000000000, 0xFFFF000000000000, 0xFFFFFF0000000000, 0xFFFFFFFF00000000,
    0xFFFFFFFFFF000000, 0xFFFFFFFFFFFF0000, 0xFFFFFFFFFFFFFF00,
};

static int has_failed(const struct walk *walk)
{
    return walk->stop > SWITCHED;
}

__attribute__((noinline)) int column_grow(struct walk *walk, struct column *column, size_t size)
{
    size_t room = column->room * 2 + size + 4096;
    uint8_t *grown = realloc(column->data, room);
    if (!grown) {
        walk->stop = ODD; /* the numpy engine runs out of memory in a way that is reported */
        return 0;
    }
    column->data = grown;
    column->room = room;
    return 1;
}

/* -- pages ------------------------------------------------------------------------------------ */

static int is_sound(const struct walk *walk, const uint8_t *page, uint64_t offset)
{
    uint16_t flags = load16(page + 2);
    uint32_t timeline = load32(page + 4);
    return load16(page) == walk->set.magic && !(flags & ~walk->set.known_flags) &&
           !(flags & LONG_HEADER && walk->page) &&
           load64(page + 8) == walk->set.start_lsn + offset &&
           timeline <= walk->set.name_timeline && timeline >= walk->timeline;
}

/* Judge a page's header, and that it continues exactly what the records before it need. */
static int accept_page(struct walk *walk, const uint8_t *page, uint64_t offset)
{
    if (!is_sound(walk, page, offset)) {
        if (walk->stop == SWITCHED)
            walk->is_over = 1;
        else
            walk->stop = walk->page ? BAD_PAGE : ODD;
        return 0;
    }
    walk->timeline = load32(page + 4);
    if (walk->stop == SWITCHED)
        return 1;
    int carries = load16(page + 2) & FIRST_IS_CONTRECORD;
    uint32_t bytes = load32(page + 16);
    if (!walk->page) {
        walk->left = walk->head_bytes = carries ? bytes : 0;
        walk->in_head = carries;
        if (!carries || bytes)
            return 1;
    } else if (!(load16(page + 2) & walk->set.overwrite_flag) &&
               (walk->left ? carries && bytes == walk->left : !carries)) {
        return 1;
    }
    walk->stop = ODD;
    return 0;
}

/* -- records ---------------------------------------------------------------------------------- */

/* The first record of a segment has none before it; its prev-link leads back all the same. */
static int is_first_prev(struct walk *walk, const uint8_t *record, uint64_t lsn)
{
    uint64_t prev = load64(record + 8);
    if (walk->has_first || prev >= lsn)
        return 0;
    walk->has_first = 1;
    walk->first_prev_lsn = prev;
    walk->first_lsn = lsn;
    return 1;
}

void note_record(struct walk *walk, struct column *notes, struct column *noted,
                 const uint8_t *record, uint32_t total, uint64_t lsn, uint64_t end_lsn)
{
    struct note note;
    memset(&note, 0, sizeof note);
    note.lsn = lsn;
    note.end_lsn = end_lsn;
    note.row = walk->outcomes.used / sizeof(struct outcome);
    note.length = total;
    note.xid = load32(record + 4);
    note.rmgr = record[17];
    note.info = record[16];
    column_append(walk, notes, &note, sizeof note);
    column_append(walk, noted, record, total);
}

/* Skip a counted array; give the offset after it, or 0 where it does not fit. */
static uint64_t skip_array(const uint8_t *data, uint64_t at, uint64_t size, uint32_t item_bytes)
{
    if (at + 4 > size)
        return 0;
    at += 4 + (uint64_t)load32(data + at) * item_bytes;
    return at <= size ? at : 0;
}

/* Tell whether xinfo announces nothing that Python would keep. See ParseCommitRecord. */
static int is_plain_xinfo(const struct walk *walk, const uint8_t *data, uint64_t size)
{
    if (size < 12)
        return 0;
    uint32_t xinfo = load32(data + 8);
    uint64_t at = 12 + (xinfo & XINFO_DBINFO ? 8 : 0);
    if (xinfo & (XINFO_SUBXACTS | XINFO_RELATIONS | XINFO_TWOPHASE) || at > size)
        return 0;
    if (xinfo & XINFO_DROPPED_STATS)
        at = skip_array(data, at, size, walk->set.dropped_stats_bytes);
    if (at && xinfo & XINFO_INVALIDATIONS)
        at = skip_array(data, at, size, INVALIDATION_BYTES);
    return at != 0;
}

/* A transaction's main data, if it has at least a time and fills the record; else NULL. */
static const uint8_t *main_data(const uint8_t *record, uint32_t total, uint32_t *size)
{
    const uint8_t *body = record + RECORD_HEADER;
    uint32_t rest = total - RECORD_HEADER;
    if (rest >= 10 && body[0] == SHORT_MAIN) {
        *size = rest - 2;
        return body[1] == *size ? body + 2 : NULL;
    }
    if (rest >= 13 && body[0] == LONG_MAIN) {
        *size = rest - 5;
        return load32(body + 1) == *size ? body + 5 : NULL;
    }
    return NULL;
}

/* Keep what a record that passed every check says. */
__attribute__((noinline)) static void take_record(struct walk *walk, const uint8_t *record,
                                                  uint32_t total, uint8_t kind, uint64_t lsn,
                                                  uint64_t end_lsn)
{
    if (kind == SWITCH) { /* nothing but a header */
        walk->stop = total == RECORD_HEADER ? SWITCHED : ODD;
        return;
    }
    if (kind == UNKNOWN) {
        walk->stop = ODD;
        return;
    }
    uint32_t size = 0;
    const uint8_t *data = kind >= TRANSACTION ? main_data(record, total, &size) : NULL;
    if (!data || (record[16] & HAS_XINFO && !is_plain_xinfo(walk, data, size))) {
        if (total > MAX_NOTED)
            walk->stop = ODD;
        else
            note_record(walk, &walk->notes, &walk->noted, record, total, lsn, end_lsn);
        return;
    }
    struct outcome outcome = {lsn, end_lsn, load64(data), load32(record + 4), kind - TRANSACTION};
    column_append(walk, &walk->outcomes, &outcome, sizeof outcome);
}

/* -- a record over a page's end --------------------------------------------------------------- */

static void begin_split(struct walk *walk, uint32_t total, uint64_t offset)
{
    if (total > MAX_RECORD)
        walk->stop = ODD;
    walk->total = walk->left = total;
    walk->record_offset = offset;
    walk->header_bytes = 0;
    walk->crc = 0xFFFFFFFF;
    walk->kept.used = 0;
}

static int accept_split_header(struct walk *walk)
{
    uint64_t lsn = walk->set.start_lsn + walk->record_offset;
    const uint8_t *header = walk->header;
    uint8_t kind = walk->set.kinds[header[17] << 8 | header[16]];
    if (load64(header + 8) != walk->previous_lsn && !is_first_prev(walk, header, lsn))
        walk->stop = ODD;
    else if (kind == UNKNOWN || (kind != DULL && walk->total > MAX_NOTED))
        walk->stop = ODD;
    return !walk->stop;
}

static void complete_split(struct walk *walk, uint64_t end_offset)
{
    uint64_t lsn = walk->set.start_lsn + walk->record_offset;
    uint8_t rmgr = walk->header[17], kind = walk->set.kinds[rmgr << 8 | walk->header[16]];
    walk->previous_lsn = lsn;
    walk->end_lsn = walk->set.start_lsn + end_offset;
    if (kind != DULL)
        take_record(walk, walk->kept.data, walk->total, kind, lsn, walk->end_lsn);
    walk->count++;
    walk->by_rmgr[rmgr].records++;
    walk->by_rmgr[rmgr].bytes += walk->total;
    if (walk->set.keeps_journal) /* of one that was not kept, it asks for no more than the header */
        journal_take(walk, walk->total > MAX_NOTED ? walk->header : walk->kept.data, walk->total,
                     lsn, walk->end_lsn);
}

/* -- the ways to compute a checksum ----------------------------------------------------------- */

static inline uint32_t portable_byte(uint32_t state, uint8_t value)
{
    return state >> 8 ^ crc_tables.byte[0][(state ^ value) & 0xFF];
}

static inline uint32_t portable_half(uint32_t state, uint32_t value)
{
    state ^= value;
    return crc_tables.byte[3][state & 0xFF] ^ crc_tables.byte[2][state >> 8 & 0xFF] ^
           crc_tables.byte[1][state >> 16 & 0xFF] ^ crc_tables.byte[0][state >> 24];
}

static inline uint32_t portable_word(uint32_t state, uint64_t value)
{
    uint32_t low = state ^ (uint32_t)value, high = (uint32_t)(value >> 32);
    return crc_tables.byte[7][low & 0xFF] ^ crc_tables.byte[6][low >> 8 & 0xFF] ^
           crc_tables.byte[5][low >> 16 & 0xFF] ^ crc_tables.byte[4][low >> 24] ^
           crc_tables.byte[3][high & 0xFF] ^ crc_tables.byte[2][high >> 8 & 0xFF] ^
           crc_tables.byte[1][high >> 16 & 0xFF] ^ crc_tables.byte[0][high >> 24];
}

#define CRC_NAME(name) portable_##name
#define CRC_TARGET
#define CRC_WORD(state, value) portable_word((uint32_t)(state), value)
#define CRC_HALF(state, value) portable_half(state, value)
#define CRC_BYTE(state, value) portable_byte(state, value)
#include "walk_core.h"

#if defined(__x86_64__)

#define CRC_NAME(name) sse42_##name
#ifdef __clang__
#define CRC_TARGET __attribute__((target("sse4.2,crc32")))
#else
#define CRC_TARGET __attribute__((target("sse4.2")))
#endif
#define CRC_WORD(state, value) _mm_crc32_u64(state, value)
#define CRC_HALF(state, value) _mm_crc32_u32(state, value)
#define CRC_BYTE(state, value) _mm_crc32_u8(state, value)
#include "walk_core.h"

/* Not __builtin_cpu_supports(): under `zig cc` it compiles, and says no. */
static int has_sse42(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && c >> 20 & 1;
}

#elif defined(__aarch64__) && defined(__linux__)

#define CRC_NAME(name) armv8_##name
#ifdef __clang__
#define CRC_TARGET __attribute__((target("crc")))
#else
#define CRC_TARGET __attribute__((target("+crc")))
#endif
#define CRC_WORD(state, value) __crc32cd((uint32_t)(state), value)
#define CRC_HALF(state, value) __crc32cw(state, value)
#define CRC_BYTE(state, value) __crc32cb(state, value)
#include "walk_core.h"

#endif

const char *walk_crc_name;
static void (*chosen_run)(struct walk *, const uint8_t *, size_t);

void walk_prepare(int portable)
{
    if (!chosen_run)
        crc_make_tables();
    chosen_run = portable_run;
    walk_crc_name = "portable";
    if (portable)
        return;
#if defined(__x86_64__)
    if (has_sse42()) {
        chosen_run = sse42_run;
        walk_crc_name = "SSE 4.2";
    }
#elif defined(__aarch64__) && defined(__linux__)
    if (getauxval(AT_HWCAP) & 1 << 7) { /* HWCAP_CRC32 */
        chosen_run = armv8_run;
        walk_crc_name = "ARMv8 CRC";
    }
#endif
}

/* -- what a caller does ----------------------------------------------------------------------- */

static struct column *columns_of(struct walk *walk, int n)
{
    struct column *all[] = {&walk->outcomes, &walk->notes, &walk->noted, &walk->kept,
                            &walk->head, &walk->journal.usage, &walk->journal.notes,
                            &walk->journal.noted, &walk->journal.order};
    return n < (int)(sizeof all / sizeof *all) ? all[n] : NULL;
}

void walk_begin(struct walk *walk)
{
    struct column *column;
    for (int n = 0; (column = columns_of(walk, n)); n++)
        column->used = 0; /* their memory is kept for the next segment */
    walk->stop = GOING_ON;
    walk->page = walk->timeline = 0;
    walk->stop_offset = walk->count = 0;
    walk->first_lsn = walk->end_lsn = walk->first_prev_lsn = 0;
    walk->previous_lsn = UINT64_MAX; /* no record's */
    walk->is_over = walk->has_first = walk->in_head = 0;
    walk->left = walk->head_bytes = walk->total = walk->header_bytes = 0;
    walk->record_offset = 0;
    memset(walk->by_rmgr, 0, sizeof walk->by_rmgr);
    journal_begin(walk);
    walk->run = chosen_run;
}

void walk_feed(struct walk *walk, const uint8_t *pages, size_t count)
{
    if (walk->is_over)
        return;
    walk->run(walk, pages, count);
    walk->is_over |= walk->stop > SWITCHED;
}

void walk_free(struct walk *walk)
{
    struct column *column;
    for (int n = 0; (column = columns_of(walk, n)); n++)
        free(column->data);
    journal_free(walk);
}
