"""Pages held against their checksums: by the compiled engine where it is, else by numpy."""

from __future__ import annotations

from typing import Final

from parsers.files.data_page import Blocks, PagesSeen, Replayed
from parsers.wal import kernel

_LAST_LSN: Final = (1 << 64) - 1


def see_pages(
    content: bytes | memoryview, block_size: int, blocks: Blocks, replayed: Replayed | None
) -> PagesSeen:
    """Hold whole pages against their checksums.

    `blocks` are their numbers in the fork. `replayed` is None where nothing was written meanwhile.
    """
    compiled = kernel.built() if kernel.running() == "c" else None
    if compiled is None:
        from parsers.files.page_columns import see_columns

        return see_columns(content, block_size, blocks, replayed)
    first, numbers = (blocks.start, None) if isinstance(blocks, range) else (0, blocks)
    start, end = (1, 0) if replayed is None else (replayed.start_lsn, replayed.end_lsn)
    if end is None:
        end = _LAST_LSN
    return PagesSeen(*compiled.see_pages(content, block_size, first, numbers, start, end))
