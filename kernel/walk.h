/* The walk: from record to record over the raw pages of one segment, each checked.
 *
 * It accepts and never judges. It says "these records are good", and stops at the first thing
 * that is not plainly so; what that is, and where the damage lies, the numpy engine says
 * (parsers/wal/engine.py). Rules as in src/backend/access/transam/xlogreader.c.
 */
#ifndef PITR_WALK_H
#define PITR_WALK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum stop {
    GOING_ON = 0,
    SWITCHED = 1, /* an XLOG_SWITCH was read; only page headers count after it */
    STOPPED = 2,  /* no record header at `stop_offset` */
    BAD_PAGE = 3, /* page `page` has a header that no server accepts there */
    ODD = 4,      /* anything else: the numpy engine has to look */
};

enum { MOST_CATALOGS = 64 };

/* What a record of [rmgr, info] is to the walk: a table of 65,536 of these comes from Python. */
enum kind {
    DULL = 0,        /* counted only */
    NOTED = 1,       /* its bytes are copied, for Python to decode */
    SWITCH = 2,
    UNKNOWN = 3,     /* no resource manager of this major */
    TRANSACTION = 4, /* + 0 to 3: commit, abort, commit prepared, abort prepared */
};

struct settings {
    uint64_t start_lsn;      /* of the segment */
    uint32_t page_size;
    uint32_t name_timeline;  /* no page may be of a later one */
    uint16_t magic;
    uint16_t known_flags;    /* of a page header, in this major */
    uint16_t overwrite_flag;
    uint16_t dropped_stats_bytes; /* of one item in a transaction's record */
    uint8_t packed_image_flags;   /* of a page in a record: its header has a hole's length */
    uint8_t keeps_journal;        /* 0: nobody asks what each transaction wrote */
    uint32_t catalogs;            /* how many of the following there are */
    uint32_t catalog_files[MOST_CATALOGS];
    uint8_t kinds[65536];
};

/* A growing array. */
struct column {
    uint8_t *data;
    size_t used, room; /* bytes */
};

/* A transaction's end; without padding. */
struct outcome {
    uint64_t lsn, end_lsn;
    uint64_t time; /* as it stands in the record */
    uint32_t xid;
    uint32_t kind; /* 0 to 3, as above */
};

/* A record whose bytes are kept. */
struct note {
    uint64_t lsn, end_lsn;
    uint64_t row;    /* transactions before it */
    uint64_t length; /* of its bytes */
    uint32_t xid;
    uint8_t rmgr, info;
};

/* What one transaction wrote. */
struct usage {
    uint64_t first_lsn, records, bytes;
    uint32_t xid, unused;
};

/* For `find`; see parsers/wal/journal.py. */
struct journal {
    struct column usage;         /* struct usage, in the order in which they begin */
    uint32_t *slots;             /* a hash table of them: 0, or a row's number and one */
    size_t room;                 /* of it, a power of two */
    struct column notes, noted;  /* of records that change a catalog's rows; their bytes */
    struct column order;         /* for usage_order() */
};

struct walk {
    struct settings set;
    /* how far it came */
    enum stop stop;
    int is_over;           /* what is fed from now on changes nothing */
    uint32_t page;         /* the next one */
    uint32_t timeline;     /* of the last good page */
    uint64_t stop_offset;  /* in the segment */
    /* what the records say */
    uint64_t first_lsn, end_lsn;
    uint64_t previous_lsn; /* of the last complete record */
    uint64_t count;        /* of complete ones */
    int has_first;         /* the first record's header was read */
    uint64_t first_prev_lsn;
    struct { uint64_t records, bytes; } by_rmgr[256];
    struct column outcomes;     /* struct outcome */
    struct column notes, noted; /* struct note; their bytes */
    /* a record that runs over a page's end */
    uint32_t left;          /* bytes still to come */
    uint32_t head_bytes;    /* of a record that began before the segment, on its first page */
    int in_head;            /* `left` is of that one */
    uint32_t total;
    uint64_t record_offset; /* in the segment */
    uint32_t header_bytes;  /* of `header` that were seen */
    uint8_t header[24];
    uint32_t crc;           /* state */
    struct column kept;     /* all its bytes up to now, if it has at most 1 MiB */
    struct column head;     /* the same of the one that began before the segment */
    struct journal journal;
    /* chosen when the tables are made */
    void (*run)(struct walk *, const uint8_t *, size_t);
};

extern const char *walk_crc_name;

void walk_prepare(int portable);              /* first; 1: without instructions for CRC-32C */
void walk_begin(struct walk *);               /* after `set` was filled in */
void walk_feed(struct walk *, const uint8_t *pages, size_t count);
void walk_free(struct walk *);

/* What journal.c adds of each good record, if the settings ask for it. */
void journal_begin(struct walk *);
void journal_take(struct walk *, const uint8_t *record, uint32_t total, uint64_t lsn,
                  uint64_t end_lsn);
void journal_free(struct walk *);

/* The rows of `usage` by ascending xid; NULL without memory. Valid until the next segment. */
const uint32_t *usage_order(struct walk *);

/* Make room for `size` bytes more; 0, and the walk stops, where there is no memory. */
int column_grow(struct walk *, struct column *, size_t size);

static inline void column_append(struct walk *walk, struct column *column, const void *data,
                                 size_t size)
{
    if (column->room - column->used < size && !column_grow(walk, column, size))
        return;
    memcpy(column->data + column->used, data, size);
    column->used += size;
}

/* A record's bytes, and what it is. */
void note_record(struct walk *, struct column *notes, struct column *noted, const uint8_t *record,
                 uint32_t total, uint64_t lsn, uint64_t end_lsn);

#endif
