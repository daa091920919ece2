"""Sentences that cross to a file or to another machine, and what may come from there instead."""

from __future__ import annotations

import json

import pytest

from agent.dask_scan.words import Failed, StoreCost, decode_answer, encode_answer
from agent.ledger.encode import pack_scan, unpack_scan
from agent.packed_sentence import pack, unpack
from parsers.errors import ParseError
from parsers.sentences import Sentence, indented, tr, trn
from parsers.wal.scan import scan_segment

SAID = [
    tr("checksum does not match"),
    tr("{path!r} holds {files}", path="a\udce4", files=trn("{n} file", "{n} files", 3)),
    indented(tr("{size:,.1f} of {magic:04X}", size=1234.5, magic=17)),
    tr("{why}", why=OSError(2, "gone")),
]


@pytest.mark.parametrize("said", SAID)
def test_a_sentence_is_still_one(said: Sentence) -> None:
    packed = pack(said)
    assert type(packed) is str
    again = unpack(packed)
    assert isinstance(again, Sentence)
    assert (again, again.template, again.plural) == (said, said.template, said.plural)
    assert dict(again.fields) == dict(said.fields)


@pytest.mark.parametrize("text", ["", "gone", "\1", '\1["{a}", null, {}]'])
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert unpack(pack(text)) == text


@pytest.mark.parametrize(
    "value",
    [
        1,
        [],
        {},
        ["a", None],
        [None, None, {}],
        ["{a}", None, []],
        ["{a}", None, {"b": 1}],
        ["{0}", None, {"a": 1}],
        ["{a.__class__}", None, {"a": 1}],
        ["{a[0]}", None, {"a": "x"}],
        ["{a:>9999999999}", None, {"a": 1}],
        ["{a:{a}}", None, {"a": 1}],
        ["{a!a}", None, {"a": "x"}],
        ["{a", None, {"a": 1}],
        ["{n}", "{n}", {"n": "x"}],
        ["{n}", "{n}", {}],
        ["x" * 5000, None, {}],
        ["{a}" * 1000, None, {"a": ["{a}" * 1000, None, {"a": "x" * 9}]}],
    ],
)
def test_no_template_does_more_than_speak(value: object) -> None:
    with pytest.raises(ParseError):
        unpack("\1" + json.dumps(value))


def test_damage_can_be_said_after_it_was_kept() -> None:
    scan = scan_segment(bytes(1 << 20), name_timeline=1, segment_number=1, segment_size=1 << 20)
    kept = unpack_scan(pack_scan(scan))
    assert kept == scan
    assert kept.damage is not None
    assert isinstance(kept.damage.detail, Sentence)


def test_a_worker_s_words_can_be_said_where_they_steer_no_terminal() -> None:
    for reason, expected in (("gone", Sentence), ("go\x1bne", str)):
        why = tr("cannot be read: {reason}", reason=reason)
        answer = decode_answer(encode_answer(Failed(why, False, StoreCost())))
        assert isinstance(answer, Failed)
        assert type(answer.why) is expected
        assert answer.why.isprintable()
