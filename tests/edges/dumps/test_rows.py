"""The compiled reader of rows against Python's own numbers: every format, every cut, every kind of damage."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import scipy.io

from e3d_lmp.edges import kernel
from e3d_lmp.edges.dumps.rows import (
    DONE,
    END,
    HEADER,
    ID,
    LOST_DIGITS,
    NOT_WHOLE,
    NUMBER,
    REAL,
    ROW,
    SYMBOL,
    TYPE,
    WORD,
    RowReader,
)
from e3d_lmp.errors import E3DError

NAMES = ("id", "type", "x", "spare", "y", "z")
SLOTS = ((("id",), ID), (("type",), TYPE), (("x",), REAL), (("y", "z"), REAL))


def read(text: bytes, rows: int, names=NAMES, slots=SLOTS, other=NUMBER):
    """The reader, its arrays, and what it returned."""
    reader = RowReader(names, slots, other)
    arrays = reader.room(rows)
    return reader, arrays, reader.read(text, 0, 0, rows)


def one_number(word: str) -> float | None:
    """The number that a word is read as, None where it is refused."""
    reader, (x,), _ = read(f"{word}\n".encode(), 1, ("x",), ((("x",), REAL),))
    assert reader.stop in (DONE, ROW)
    return float(x[0]) if reader.stop == DONE else None


def bits(values) -> list[bytes]:
    return [struct.pack("<d", value) for value in values]


def random_doubles(rng: np.random.Generator, count: int) -> np.ndarray:
    """Finite doubles of all sizes, subnormal ones and whole numbers too."""
    anything = rng.integers(0, 2**64, count, dtype=np.uint64).view(np.float64)
    common = rng.normal(size=count) * 10.0 ** rng.integers(-20, 20, count)
    subnormal = rng.integers(0, 2**52, count, dtype=np.uint64).view(np.float64)
    whole = rng.integers(-(2**53), 2**53, count).astype(np.float64)
    picked = np.choose(rng.integers(0, 4, count), [anything, common, subnormal, whole])
    return np.where(np.isfinite(picked), picked, -0.0)


FORMATS = ("%.17g", "%.9g", "%g", "%.17e", "%.3E", "%25.16f", "%-30.15f", "%.0f", "%#.6g", "%+.17g", "%.400f")


@pytest.mark.parametrize("seed", range(6))
def test_random_rows_are_exact(seed):
    """Numbers to the last bit, ids and types exactly, with any blanks between them."""
    rng = np.random.default_rng(seed)
    rows = 500
    table = random_doubles(rng, 4 * rows).reshape(rows, 4)
    tops = [10, 10**6, 2**31, 2**53]
    ids = np.array([rng.integers(1, tops[k % 4], endpoint=True) for k in range(rows)])
    ids[:4] = 2**31 - 1, 2**31, 2**53, 2**53 - 1
    types = rng.integers(1, 2**31, rows)
    lines, expected = [], []
    for k in range(rows):
        numbers = [FORMATS[rng.integers(len(FORMATS))] % value for value in table[k]]
        numbers = [
            text if np.isfinite(float(text)) else "0" for text in numbers
        ]  # rounded up beyond the range
        id_text = ("%d", "%.17g", "%.20e", "%.1f")[rng.integers(4)] % ids[k]
        type_text = ("%d", "%.10e", "%.2f")[rng.integers(3)] % types[k]
        words = [id_text, type_text, *numbers]
        gap = [" ", "  ", "\t", " \t "][rng.integers(4)]
        end = ["\n", " \n", "\r\n", " \r\n", "\t\n"][rng.integers(5)]
        lines.append(["", " ", "\t"][rng.integers(3)] + gap.join(words) + end)
        expected.append([float(text) for text in numbers])
    text = "".join(lines).encode()
    reader, (got_ids, got_types, x, yz), (done, at) = read(text, rows)
    assert (reader.stop, done, at) == (DONE, rows, len(text)), f"seed {seed}"
    np.testing.assert_array_equal(got_ids, ids)
    np.testing.assert_array_equal(got_types, types)
    got = np.column_stack([x, yz])
    expected = np.array(expected)[:, [0, 2, 3]]
    assert bits(got.ravel()) == bits(expected.ravel()), f"seed {seed}"


def test_the_reader_agrees_with_scipy():
    """scipy.io.mmread, by which rows were read before, gives the same bits."""
    values = random_doubles(np.random.default_rng(11), 3000)
    text = "".join(f"{value:.17g}\n" for value in values).encode()
    _, (x,), _ = read(text, values.size, ("x",), ((("x",), REAL),))
    header = f"%%MatrixMarket matrix array real general\n{values.size} 1\n".encode()
    assert bits(x) == bits(scipy.io.mmread(io.BytesIO(header + text)).ravel())


NUMBERS = (
    *"0 -0 -0.0 +1.5 1. .5 -.5e-3 1e5 1E+05 5e-324 2.2250738585072011e-308 1.7976931348623157e308".split(),
    *"0.1 9007199254740993 1e23 8.5e-400 -1e-400 0e999 0.0e-999 1e-99999999999".split(),
    "1" + "0" * 300,
    "0." + "0" * 400 + "1",
    "1" * 40 + "e-30",
    "0." + "0" * 320 + "1e330",
    "0." + "0" * 310 + "7e-20",
    "123456789012345678901234567890e-350",
    "1" + "0" * 400 + "e-300",
)
NO_NUMBERS = (
    *"nan -nan inf -inf +inf infinity nan(1) 1inf 1e400 -1e309 1e99999999999 1_000 0x10 1d5 1e 1e+ .".split(),
    *"- + --1 +-1 -+1 1.2.3 1,5 1-2 e5 5- 1e5.0".split(),
    "1" + "0" * 400,
    "\x001",
    "1\x00",
    "\u0661",
    "1\v",
)


@pytest.mark.parametrize("word", NUMBERS)
def test_numbers_as_python_reads_them(word):
    assert bits([one_number(word)]) == bits([float(word)])


@pytest.mark.parametrize("word", NO_NUMBERS)
@pytest.mark.parametrize("other", ["x", "spare"])
def test_what_is_no_finite_number_is_refused(word, other):
    """Also in a column that nobody needs."""
    words = dict(zip(NAMES, ("1", "1", "0", "0", "0", "0"), strict=True)) | {other: word}
    text = f"2 1 0 0 0 0\n{' '.join(words.values())}\n3 1 0 0 0 0\n".encode()
    reader, _, (done, at) = read(text, 3)
    assert (reader.stop, done, at) == (ROW, 1, 12)
    with pytest.raises(E3DError, match=r"^here: expected 6 finite numbers in a row, got '1 1 .*'$"):
        raise reader.problem(text, at, "here")


@pytest.mark.parametrize("row", ["", " ", "1 1 0 0 0", "1 1 0 0 0 0 0", "1 1 0 0 0 0 x", "\r"])
def test_rows_of_another_length_are_refused(row):
    text = f"1 1 0 0 0 0\n{row}\n1 1 0 0 0 0\n".encode()
    reader, _, (done, at) = read(text, 3)
    assert (reader.stop, done, at) == (ROW, 1, 12)
    with pytest.raises(E3DError, match="expected 6 finite numbers in a row"):
        raise reader.problem(text, at, "here")


@pytest.mark.parametrize(
    ("word", "stop", "message"),
    [
        ("0", NOT_WHOLE, r"column id must hold whole numbers from 1 to 2\^53, got 0"),
        ("-3", NOT_WHOLE, "got -3"),
        ("1.5", NOT_WHOLE, "got 1.5"),
        ("9007199254740993", NOT_WHOLE, "got 9007199254740993"),
        ("9007199254740994", NOT_WHOLE, "got 9007199254740994"),
        ("99999999999999999999", NOT_WHOLE, "got 99999999999999999999"),
        (
            "1.23457e+06",
            LOST_DIGITS,
            r"atom id 1.23457e\+06 has lost digits; add 'dump_modify ID format float",
        ),
        ("1e+06", LOST_DIGITS, "lost digits"),
        ("1.23E06", LOST_DIGITS, "lost digits"),
        ("12e1", DONE, None),
        ("1.200e+01", DONE, None),
        ("1.234567e+06", DONE, None),
        ("0000000000000000000007", DONE, None),
        ("abc", ROW, "expected 6 finite numbers"),
    ],
)
def test_ids(word, stop, message):
    text = f"{word} 1 0 0 0 0\n".encode()
    reader, (ids, *_), (_, at) = read(text, 1)
    assert reader.stop == stop
    if stop == DONE:
        assert ids[0] == float(word)
    elif message:
        with pytest.raises(E3DError, match=message):
            raise reader.problem(text, at, "here")


@pytest.mark.parametrize("word", ["0", "2147483648", "1.5"])
def test_types(word):
    text = f"1 {word} 0 0 0 0\n".encode()
    reader, _, (_, at) = read(text, 1)
    with pytest.raises(E3DError, match=r"column type must hold whole numbers from 1 to 2\^31 - 1, got"):
        raise reader.problem(text, at, "here")


def test_text_cut_at_every_byte():
    """Whole rows are read, the rest is left for later, and nothing behind the end is touched."""
    lines = [b"%d 2 -1.5e-3 7 %.17g 1e300 \r\n" % (10**k, k / 3) for k in range(4)]
    text = b"".join(lines)
    ends = np.cumsum([len(line) for line in lines])
    for cut in range(len(text) + 1):
        reader, (ids, *_), (done, at) = read(text[:cut], 4)
        whole = int((ends <= cut).sum())
        assert (done, at) == (whole, ends[whole - 1] if whole else 0), cut
        assert reader.stop == (DONE if whole == 4 else END), cut
        rest, at_rest = reader.read(text, at, done, 4 - done)
        assert (done + rest, at_rest) == (4, len(text))
        np.testing.assert_array_equal(ids, 10 ** np.arange(4))


def test_a_row_that_the_next_header_cuts_off():
    """A run that was killed in the middle of a row and gone on with."""
    row, header = b"1 1 0.5 0 0 0\n", b"ITEM: TIMESTEP\n20\n"
    for other in (NUMBER, WORD):
        for cut in range(len(row)):
            for after in (header, header[:5], header + row):
                text = row + row[:cut] + after
                reader, _, (done, at) = read(text, 3, other=other)
                assert (reader.stop, done, at) == (HEADER, 1, len(row) + cut), (other, cut)
                passing = RowReader((), (), WORD)
                assert passing.read(text, 0, 0, 3) == (1, len(row) + cut)
                assert passing.stop == HEADER


def test_passing_over_rows():
    text = b"1 2 3\nx\n\n4\nrest"
    reader = RowReader((), (), WORD)
    assert reader.read(text, 0, 0, 3) == (3, 9) and reader.stop == DONE
    assert reader.read(text, 0, 0, 9) == (4, 11) and reader.stop == END


def test_words_and_symbols():
    names, slots = ("id", "element", "what", "x"), ((("x",), REAL), (("element",), SYMBOL))
    text = b"1 Si abc-1 2.5\n2 C nan -1\n"
    reader, (x, symbols), _ = read(text, 2, names, slots, WORD)
    assert reader.stop == DONE and x.tolist() == [2.5, -1.0] and symbols.tolist() == [b"Si", b"C"]
    reader, _, (_, at) = read(text + b"3 Unobtainium a 1\n", 3, names, slots, WORD)
    assert reader.stop == ROW
    with pytest.raises(E3DError, match="expected 4 words in a row, got '3 Unobtainium a 1'"):
        raise reader.problem(text + b"3 Unobtainium a 1\n", at, "here")


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_never_reads_a_wrong_number(seed):
    """Rows with random bytes put in, out or changed: what is read is what Python reads of the same words."""
    rng = np.random.default_rng(1000 + seed)
    alphabet = b"0123456789+-.eE \t\r\n\0xnIT:"
    for _ in range(2000):
        row = bytearray(b"12 3 -4.5e-06 7 0.25 1e10 \n")
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(row)))
            what = alphabet[rng.integers(len(alphabet))]
            match rng.integers(3):
                case 0:
                    row[at] = what
                case 1:
                    row.insert(at, what)
                case _:
                    del row[at]
        text = bytes(row) + b"1 1 1 1 1 1\n"
        _, (ids, types, x, yz), (done, _) = read(text, 2)
        for k, line in enumerate(text.split(b"\n")[:done]):
            words = line.split()
            assert len(words) == 6 and np.isfinite([float(word) for word in words]).all(), text
            assert [ids[k], types[k], x[k], *yz[k]] == [float(words[n]) for n in (0, 1, 2, 4, 5)], text


def test_another_version_of_the_library_is_refused(monkeypatch):
    monkeypatch.setattr(kernel, "VERSION", 0)
    kernel.library.cache_clear()
    with pytest.raises(
        E3DError, match=r"libe3d_edges\.so: expected version 0, got \d+; install the package again"
    ):
        kernel.library()
    monkeypatch.undo()
    kernel.library.cache_clear()
    kernel.library()


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(kernel, "LIBRARY", "libnothing.so")
    kernel.library.cache_clear()
    with pytest.raises(E3DError, match=r"cannot be loaded.*libnothing\.so.*bash scripts/setup\.sh"):
        kernel.library()
    monkeypatch.undo()
    kernel.library.cache_clear()
    kernel.library()
