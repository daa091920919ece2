"""WAL that does not read: recovery takes it for the end of WAL."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import Message

# fmt: off
MESSAGES: Final = (
    Message("invalid record length at %X/%X: wanted %u, got %u", Event.REC_LEN_SHORT, ("lsn", "expected", "found"), majors=range(13, 16), sample="invalid record length at 0/3000028: wanted 24, got 24"),
    Message("invalid record length at %X/%X: expected at least %u, got %u", Event.REC_LEN_SHORT, ("lsn", "expected", "found"), majors=range(16, 20), sample="invalid record length at 0/3000028: expected at least 24, got 24"),
    Message("invalid record offset at %X/%X", Event.REC_OFFSET, ("lsn",), majors=range(13, 16), sample="invalid record offset at 0/3000028"),
    Message("invalid record offset at %X/%X: expected at least %u, got %u", Event.REC_OFFSET, ("lsn", "expected", "found"), majors=range(16, 20), sample="invalid record offset at 0/3000028: expected at least 24, got 24"),
    Message("invalid resource manager ID %u at %X/%X", Event.REC_RMID, ("rmid", "lsn"), sample="invalid resource manager ID 128 at 0/3000028"),
    Message("record with incorrect prev-link %X/%X at %X/%X", Event.REC_PREV_LINK, ("previous_lsn", "lsn"), sample="record with incorrect prev-link 0/3000028 at 0/3000028"),
    Message("incorrect resource manager data checksum in record at %X/%X", Event.REC_CRC, ("lsn",), sample="incorrect resource manager data checksum in record at 0/3000028"),
    Message("there is no contrecord flag at %X/%X", Event.REC_NO_CONTRECORD_FLAG, ("lsn",), sample="there is no contrecord flag at 0/3000028"),
    Message("invalid contrecord length %u at %X/%X", Event.REC_CONTRECORD_LEN, ("length", "lsn"), majors=range(13, 14), sample="invalid contrecord length 24 at 0/3000028"),
    Message("invalid contrecord length %u (expected %lld) at %X/%X", Event.REC_CONTRECORD_LEN, ("length", "expected", "lsn"), majors=range(14, 20), sample="invalid contrecord length 24 (expected 24) at 0/3000028"),
    Message("contrecord is requested by %X/%X", Event.REC_CONTRECORD_REQUESTED, ("lsn",), sample="contrecord is requested by 0/3000028"),
    Message("record with invalid length at %X/%X", Event.REC_BAD_LENGTH, ("lsn",), sample="record with invalid length at 0/3000028"),
    Message("out-of-order block_id %u at %X/%X", Event.REC_BLOCK_ID_ORDER, ("block_id", "lsn"), sample="out-of-order block_id 24 at 0/3000028"),
    Message("invalid block_id %u at %X/%X", Event.REC_BLOCK_ID, ("block_id", "lsn"), sample="invalid block_id 24 at 0/3000028"),
    Message("BKPBLOCK_HAS_DATA set, but no data included at %X/%X", Event.REC_BKP_FLAGS, ("lsn",), sample="BKPBLOCK_HAS_DATA set, but no data included at 0/3000028"),
    Message("BKPBLOCK_HAS_DATA not set, but data length is %u at %X/%X", Event.REC_BKP_FLAGS, ("length", "lsn"), sample="BKPBLOCK_HAS_DATA not set, but data length is 8 at 0/3000028"),
    Message("BKPBLOCK_SAME_REL set but no previous rel at %X/%X", Event.REC_BKP_FLAGS, ("lsn",), sample="BKPBLOCK_SAME_REL set but no previous rel at 0/3000028"),
    Message("BKPIMAGE_HAS_HOLE set, but hole offset %u length %u block image length %u at %X/%X", Event.REC_BKP_FLAGS, ("hole_offset", "hole_length", "length", "lsn"), sample="BKPIMAGE_HAS_HOLE set, but hole offset 0 length 0 block image length 8192 at 0/3000028"),
    Message("BKPIMAGE_HAS_HOLE not set, but hole offset %u length %u at %X/%X", Event.REC_BKP_FLAGS, ("hole_offset", "hole_length", "lsn"), sample="BKPIMAGE_HAS_HOLE not set, but hole offset 24 length 8 at 0/3000028"),
    Message("BKPIMAGE_IS_COMPRESSED set, but block image length %u at %X/%X", Event.REC_BKP_FLAGS, ("length", "lsn"), majors=range(13, 15), sample="BKPIMAGE_IS_COMPRESSED set, but block image length 8192 at 0/3000028"),
    Message("BKPIMAGE_COMPRESSED set, but block image length %u at %X/%X", Event.REC_BKP_FLAGS, ("length", "lsn"), majors=range(15, 20), sample="BKPIMAGE_COMPRESSED set, but block image length 8192 at 0/3000028"),
    Message("neither BKPIMAGE_HAS_HOLE nor BKPIMAGE_IS_COMPRESSED set, but block image length is %u at %X/%X", Event.REC_BKP_FLAGS, ("length", "lsn"), majors=range(13, 15), sample="neither BKPIMAGE_HAS_HOLE nor BKPIMAGE_IS_COMPRESSED set, but block image length is 8 at 0/3000028"),
    Message("neither BKPIMAGE_HAS_HOLE nor BKPIMAGE_COMPRESSED set, but block image length is %u at %X/%X", Event.REC_BKP_FLAGS, ("length", "lsn"), majors=range(15, 20), sample="neither BKPIMAGE_HAS_HOLE nor BKPIMAGE_COMPRESSED set, but block image length is 8 at 0/3000028"),
    Message("could not restore image at %X/%X compressed with %s not supported by build, block %d", Event.FPI_METHOD_UNSUPPORTED, ("lsn", "method", "block"), majors=range(15, 20), sample="could not restore image at 0/3000028 compressed with LZ4 not supported by build, block 7"),
    Message("could not decompress image at %X/%X, block %d", Event.FPI_DECOMPRESS, ("lsn", "block"), majors=range(15, 20), sample="could not decompress image at 0/3000028, block 7"),
    Message("invalid magic number %04X in log segment %s, offset %u", Event.PAGE_MAGIC, ("magic", "file", "offset"), majors=range(13, 16), sample="invalid magic number D113 in log segment 000000010000000000000003, offset 0"),
    Message("invalid magic number %04X in WAL segment %s, LSN %X/%X, offset %u", Event.PAGE_MAGIC, ("magic", "file", "lsn", "offset"), majors=range(16, 20), sample="invalid magic number D113 in WAL segment 000000010000000000000003, LSN 0/3000028, offset 0"),
    Message("invalid info bits %04X in log segment %s, offset %u", Event.PAGE_INFO, ("info", "file", "offset"), majors=range(13, 16), sample="invalid info bits 0000 in log segment 000000010000000000000003, offset 0"),
    Message("invalid info bits %04X in WAL segment %s, LSN %X/%X, offset %u", Event.PAGE_INFO, ("info", "file", "lsn", "offset"), majors=range(16, 20), sample="invalid info bits 0000 in WAL segment 000000010000000000000003, LSN 0/3000028, offset 0"),
    Message("unexpected pageaddr %X/%X in log segment %s, offset %u", Event.PAGE_ADDR, ("page_lsn", "file", "offset"), majors=range(13, 16), sample="unexpected pageaddr 0/3000028 in log segment 000000010000000000000003, offset 0"),
    Message("unexpected pageaddr %X/%X in WAL segment %s, LSN %X/%X, offset %u", Event.PAGE_ADDR, ("page_lsn", "file", "lsn", "offset"), majors=range(16, 20), sample="unexpected pageaddr 0/3000028 in WAL segment 000000010000000000000003, LSN 0/3000028, offset 0"),
    Message("out-of-sequence timeline ID %u (after %u) in log segment %s, offset %u", Event.PAGE_TLI_BACK, ("timeline", "previous_timeline", "file", "offset"), majors=range(13, 16), sample="out-of-sequence timeline ID 1 (after 3) in log segment 000000010000000000000003, offset 0"),
    Message("out-of-sequence timeline ID %u (after %u) in WAL segment %s, LSN %X/%X, offset %u", Event.PAGE_TLI_BACK, ("timeline", "previous_timeline", "file", "lsn", "offset"), majors=range(16, 20), sample="out-of-sequence timeline ID 1 (after 3) in WAL segment 000000010000000000000003, LSN 0/3000028, offset 0"),
    Message("unexpected timeline ID %u in log segment %s, offset %u", Event.PAGE_TLI_UNEXPECTED, ("timeline", "file", "offset"), majors=range(13, 16), sample="unexpected timeline ID 1 in log segment 000000010000000000000003, offset 0"),
    Message("unexpected timeline ID %u in WAL segment %s, LSN %X/%X, offset %u", Event.PAGE_TLI_UNEXPECTED, ("timeline", "file", "lsn", "offset"), majors=range(16, 20), sample="unexpected timeline ID 1 in WAL segment 000000010000000000000003, LSN 0/3000028, offset 0"),
    Message("WAL file is from different database system: WAL file database system identifier is %llu, pg_control database system identifier is %llu", Event.WAL_OTHER_SYSTEM, ("wal_system_identifier", "system_identifier"), also=("WAL file is from different database system: WAL file database system identifier is %lu, pg_control database system identifier is %lu",), sample="WAL file is from different database system: WAL file database system identifier is 7525000000000000001, pg_control database system identifier is 7525000000000000002"),
    Message("WAL file is from different database system: incorrect segment size in page header", Event.WAL_OTHER_SEGSIZE, sample="WAL file is from different database system: incorrect segment size in page header"),
    Message("WAL file is from different database system: incorrect XLOG_BLCKSZ in page header", Event.WAL_OTHER_BLCKSZ, sample="WAL file is from different database system: incorrect XLOG_BLCKSZ in page header"),
    Message("could not read from log segment %s, offset %u: %m", Event.WAL_READ_FAILED, ("file", "offset"), also=("could not read from log segment %s, offset %d: %m",), majors=range(13, 16), sample="could not read from log segment 000000010000000000000003, offset 0: No such file or directory"),
    Message("could not read from WAL segment %s, LSN %X/%X, offset %u: %m", Event.WAL_READ_FAILED, ("file", "lsn", "offset"), majors=range(16, 20), sample="could not read from WAL segment 000000010000000000000003, LSN 0/3000028, offset 0: No such file or directory"),
    Message("successfully skipped missing contrecord at %X/%X, overwritten at %s", Event.CONTRECORD_SKIPPED, ("lsn", "time"), sample="successfully skipped missing contrecord at 0/3000028, overwritten at 2025-07-10 12:36:58.237185-07"),
    Message("mismatching overwritten LSN %X/%X -> %X/%X", Event.CONTRECORD_MISMATCH, ("lsn", "overwriting_lsn"), translated=False, sample="mismatching overwritten LSN 0/3000028 -> 0/3000028"),
)
