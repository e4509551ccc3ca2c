"""D-A maps of one label, and the e3d-map/1 file."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from e3d_lmp.analysis.label_map import LabelMap, bin_codes, label_map, split_codes
from e3d_lmp.analysis.maps import EnergyMap, read_map, write_map
from e3d_lmp.errors import E3DError


def plain_bins(D, A, width, like):
    """Bin by bin in Python, straight from the definition."""
    bins: Counter = Counter()
    for d, a in zip(D.tolist(), A.tolist(), strict=True):
        bins[math.floor(d / width), math.floor(a / width)] += 0.5
        bins[math.floor(d / width), math.floor((-a if like else a) / width)] += 0.5
    return dict(bins)


def as_dict(one: LabelMap) -> dict:
    return {(int(d), int(a)): float(n) for d, a, n in zip(*one.bins, strict=True)}


def same(a: EnergyMap, b: EnergyMap) -> bool:
    for one, two in zip(a.labels.values(), b.labels.values(), strict=True):
        numbers = [(x.count, x.sum_D, x.sum_D2, x.sum_A, x.sum_A2, x.sum_absA) for x in (one, two)]
        if numbers[0] != numbers[1] or not np.array_equal(one.codes, two.codes):
            return False
        if not np.array_equal(one.halves, two.halves):
            return False
    return replace(a, labels={}) == replace(b, labels={}) and list(a.labels) == list(b.labels)


def a_map(seed: int = 0) -> EnergyMap:
    rng = np.random.default_rng(seed)
    labels = {
        "C-C": label_map(rng.normal(-4, 0.4, 501), rng.normal(0, 0.3, 501), 0.1, True, "C-C"),
        "C-H": label_map(rng.normal(-4.5, 0.3, 900), rng.normal(0.7, 0.2, 900), 0.1, False, "C-H"),
        "H-H": LabelMap(),
    }
    about = {"types": "C H", "dumps": "a.dump b.dump"}
    return EnergyMap(0.1, "covalent", 3, (10 * seed, 10 * seed + 20), labels, about)


@pytest.mark.parametrize("like", [True, False])
@pytest.mark.parametrize("width", [0.1, 0.05, 1 / 3])
def test_bins_follow_the_definition(like, width):
    rng = np.random.default_rng(5)
    D, A = rng.normal(-3, 2, 3000), rng.normal(0.5, 1, 3000)
    D[:200], A[:200] = np.arange(-100, 100) * width, np.arange(200) * width  # on bin edges
    one = label_map(D, A, width, like, "here")
    assert as_dict(one) == plain_bins(D, A, width, like)
    assert one.count == 3000 and one.halves.sum() == 6000


def test_moments_are_population_moments():
    rng = np.random.default_rng(6)
    D, A = rng.normal(-3, 0.5, 1000), rng.normal(0.5, 0.2, 1000)
    one = label_map(D, A, 0.1, False, "here")
    assert (one.mean_D, one.mean_A, one.mean_absA) == pytest.approx(
        (D.mean(), A.mean(), np.abs(A).mean()), abs=1e-12
    )
    assert (one.std_D, one.std_A) == pytest.approx((D.std(), A.std()), abs=1e-12)


def test_narrow_peak_on_a_bin_edge():
    """Noise of 1e-12 around an edge fills the two bins beside it, not one and not three."""
    rng = np.random.default_rng(7)
    D = np.full(4000, -4.5) + rng.uniform(-1e-12, 1e-12, 4000)
    one = label_map(D, np.full(4000, 0.35), 0.1, False, "here")
    assert sorted(as_dict(one)) == [(-46, 3), (-45, 3)]
    assert one.entropy_nats == pytest.approx(math.log(2), abs=1e-3)
    exact = label_map(np.full(10, 0.3), np.zeros(10), 0.1, False, "here")
    assert as_dict(exact) == {(math.floor(0.3 / 0.1), 0): 10.0}  # 0.3 / 0.1 is just below 3


def test_synthetic_map_with_known_entropy():
    """8 x 16 bins, equally full: H = ln 128 = 7 bits; like elements with A > 0 double the bins: 8 bits."""
    d, a = (x.ravel() for x in np.meshgrid(np.arange(8), np.arange(16)))
    D, A = np.tile(-5.0 + (d + 0.5) * 0.1, 9), np.tile((a + 0.5) * 0.1, 9)
    assert label_map(D, A, 0.1, False, "here").entropy_bits == pytest.approx(7.0, abs=1e-12)
    assert label_map(D, A, 0.1, False, "here").entropy_nats == pytest.approx(math.log(128), abs=1e-12)
    assert label_map(D, A, 0.1, True, "here").entropy_bits == pytest.approx(8.0, abs=1e-12)


def test_like_elements_have_no_order():
    rng = np.random.default_rng(8)
    D, A = rng.normal(-3, 0.5, 1000), rng.normal(0.5, 0.2, 1000)
    one = label_map(D, A, 0.1, True, "here")
    flipped = label_map(D, A * rng.choice([-1, 1], 1000), 0.1, True, "here")
    assert as_dict(one) == as_dict(flipped)
    assert one.sum_A == flipped.sum_A == one.mean_A == 0.0
    assert one.std_A == pytest.approx(math.sqrt(np.mean(A**2)), abs=1e-12)
    for (d, a), n in as_dict(one).items():
        assert as_dict(one)[d, -a - 1] == n  # no sample lies on an edge
    assert one.mean_absA == pytest.approx(np.abs(A).mean(), abs=1e-12)


def test_empty_label_gives_zeros():
    one = LabelMap()
    values = (one.mean_D, one.std_D, one.mean_A, one.std_A, one.mean_absA, one.entropy_nats, one.entropy_bits)
    assert values == (0.0,) * 7


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e15])
@pytest.mark.parametrize("in_d", [True, False])
def test_energies_that_are_not_energies(bad, in_d):
    x, y = np.array([-1.0, bad]), np.array([-1.0, 0.5])
    with pytest.raises(E3DError, match="step 3, pair C-H: an energy that is not finite"):
        label_map(*((x, y) if in_d else (y, x)), 0.1, False, "step 3, pair C-H")


def test_codes_hold_every_bin():
    edge = 2**31 - 1
    d = np.array([-edge, -edge, -1, 0, 0, edge])
    a = np.array([-edge, edge, 5, -7, 0, -edge])
    codes = bin_codes(d, a)
    assert (np.diff(codes) > 0).all()
    np.testing.assert_array_equal(split_codes(codes), [d, a])


def test_merge_adds():
    one, two = a_map(0), a_map(1)
    both = one.merge(two)
    assert both.samples == 6 and both.steps == (0, 30)
    assert both.provenance == one.provenance
    for name in one.labels:
        sum_of_both = Counter(as_dict(one.labels[name]))
        sum_of_both.update(as_dict(two.labels[name]))
        assert as_dict(both.labels[name]) == dict(sum_of_both)
        assert both.labels[name].count == one.labels[name].count + two.labels[name].count
    empty = EnergyMap(0.1, "covalent")
    assert same(empty.merge(one), one) and same(one.merge(empty), one)


def test_merge_keeps_where_the_samples_come_from():
    one = replace(a_map(), provenance={"dumps": "a", "types": "C H"})
    two = replace(a_map(), provenance={"dumps": "b", "types": "C H", "note": "x"})
    assert one.merge(two).provenance == {"dumps": "a | b", "types": "C H", "note": "x"}


def test_maps_of_other_bins_or_cutoffs_do_not_add():
    with pytest.raises(E3DError, match=r"bins of 0.1 eV and 0.2 eV"):
        a_map().merge(replace(a_map(), width=0.2))
    with pytest.raises(E3DError, match="'covalent' and 'paper'"):
        a_map().merge(replace(a_map(), cutoff="paper"))


def test_file_reads_back_exactly(tmp_path):
    result = a_map()
    write_map(result, tmp_path / "m.e3d")
    assert same(read_map(tmp_path / "m.e3d"), result)
    empty = EnergyMap(0.25, "file my bonds.txt")
    write_map(empty, tmp_path / "m.e3d")
    assert same(read_map(tmp_path / "m.e3d"), empty)
    assert [path.name for path in tmp_path.iterdir()] == ["m.e3d"]


def test_file_is_the_documented_text(tmp_path):
    one = label_map(np.array([-4.75, -4.25, -4.75]), np.array([0.25, 0.0, 0.25]), 0.5, True, "")
    result = EnergyMap(0.5, "2.2", 1, (7, 7), {"C-C": one}, {"types": "C H"})
    write_map(result, tmp_path / "m.e3d")
    assert (tmp_path / "m.e3d").read_text() == (
        "e3d-map/1\nbin 0.5\ncutoff 2.2\nsamples 1\nsteps 7 7\nprovenance types C H\n"
        "label C-C 3 -13.75 63.1875 0.0 0.125 0.5 3\n-10 -1 1\n-10 0 1\n-9 0 1\nend\n"
    )
    with_comments = (tmp_path / "m.e3d").read_text().replace("-9 0 1\n", "\n-9 0 1  # like that\n")
    (tmp_path / "m.e3d").write_text("# made by hand\n" + with_comments)
    assert same(read_map(tmp_path / "m.e3d"), result)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("e3d-map/1", "e3d-map/2", "expected a map of the format e3d-map/1, got 'e3d-map/2'.*cannot read it"),
        ("e3d-map/1", "hello", "expected a map of the format e3d-map/1, got 'hello'"),
        ("end\n", "", "cut off"),
        ("bin 0.1", "bin 0", "bin width"),
        ("bin 0.1\n", "", "no line 'bin'"),
        ("samples 3", "samples three", "expected a whole number from 0, got 'three'"),
        ("samples 3", "samples -5", "expected a whole number from 0, got '-5'"),
        ("samples 3", "samples 0", "0 samples, but steps or pairs that say otherwise"),
        ("samples 3", f"samples {'9' * 5000}", "whole number from 0 to 9223372036854775807, got '9999"),
        ("samples 3", "samples --5", "got '--5'"),
        ("samples 3", "samples 1_0", "got '1_0'"),
        ("steps 0 20", "steps 20 0", "a first step 20 after the last one, 0"),
        ("steps 0 20", "steps 0", "1 words after 'steps', not 2"),
        ("bin 0.1", "bin nan", "expected a finite number, got 'nan'"),
        ("bin 0.1", "bin 1e30", "a bin width of 1e30; expected 1e-09 to 1e.09"),
        ("cutoff", "provenance energy_unit Ry\ncutoff", "energy_unit Ry: expected eV or kcal/mol"),
        ("cutoff", "provenance types N\ncutoff", "'provenance' is not expected here"),
        ("samples 3", "samplings 3", "'samplings' is not expected"),
        ("label C-H 900", "label C-H 901", "add up to 901"),
        ("label C-H", "label C-C", "twice"),
        ("label C-H", "label CH", "'CH' is no pair of elements"),
        ("label C-H", "label H-C", "'H-C' is no pair of elements"),
        ("label C-H", "label C-$H$", r"'C-\$H\$' is no pair of elements"),
        ("label C-H", "label C-H-H", "'C-H-H' is no pair of elements"),
    ],
)
def test_damaged_map_files(tmp_path, old, new, message):
    path = tmp_path / "m.e3d"
    write_map(a_map(), path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(E3DError, match=message):
        read_map(path)


def changed(path, label, word, change):
    """The file with one number of a label's line changed: counted from its name, 1 is the number of pairs."""
    lines = path.read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith(f"label {label} "))
    words = lines[at].split()
    words[1 + word] = change(words[1 + word])
    lines[at] = " ".join(words)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("label", ["C-C", "C-H"])
@pytest.mark.parametrize(("word", "name"), [(2, "D"), (3, "D2"), (4, "A"), (5, "A2"), (6, "absA")])
@pytest.mark.parametrize(
    "change", [lambda word: f"-{word}", lambda word: f"{float(word) * 1.2 + 9.0!r}", lambda word: "1e90"]
)
def test_sums_that_contradict_their_bins(tmp_path, label, word, name, change):
    """The sign of sum_D flipped printed a mean D of +4.2 eV before."""
    path = tmp_path / "m.e3d"
    write_map(a_map(), path)
    if (label, word) == ("C-C", 4) and float(change("0.0")) == 0.0:
        return  # 0 has no sign
    changed(path, label, word, lambda text: change(text).replace("--", ""))
    with pytest.raises(E3DError, match=rf"{label}: sum_{name} is .*, but its bins allow"):
        read_map(path)


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        ("-46 3 1", ""),
        ("-46 3 1.0", ""),
        ("-46 3 .5\n-46 4 .5", "half a pair of unlike elements"),
        ("-46 3 1e0", "got '1e0'"),
        ("-46 3 0", "above 0, got '0'"),
        ("-46 3 -1", "whole number from 0 to .*, got '-1'"),
        ("-46 3 1.25", "multiple of 1/2, got '1.25'"),
        ("-46 3", "wrong number of words"),
        ("-46 3000000000 1", "from -2147483648 to 2147483647"),
        ("-46 4 1", "sum_A is 0.35, but its bins allow 0.4 to 0.5"),
    ],
)
def test_bins_that_are_no_pairs(tmp_path, bins, message):
    path = tmp_path / "m.e3d"
    count = bins.count("\n") + 1
    path.write_text(
        "e3d-map/1\nbin 0.1\ncutoff 2.2\nsamples 1\nsteps 7 7\n"
        f"label C-H 1 -4.55 20.7025 0.35 0.1225 0.35 {count}\n{bins}\nend\n"
    )
    if not message:
        assert read_map(path).labels["C-H"].count == 1
        return
    with pytest.raises(E3DError, match=message):
        read_map(path)


@pytest.mark.parametrize("seed", range(20))
def test_halves_of_like_elements_belong_to_pairs(tmp_path, seed):
    """Every map of pairs is read, also with A on the edges of bins; with one half moved it is not."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    D, A = rng.normal(-4, 0.2, n), rng.normal(0, 0.3, n)
    A[: n // 2] = rng.integers(-4, 5, n // 2) * 0.125
    one = label_map(D, A, 0.125, True, "")
    result = EnergyMap(0.125, "2.2", 1, (7, 7), {"C-C": one})
    write_map(result, tmp_path / "m.e3d")
    assert same(read_map(tmp_path / "m.e3d"), result)
    d, a = split_codes(one.codes)
    k = int(np.argmax(np.abs(a)))
    if one.halves[k] == 1 and abs(a[k]) > 1:
        a[k] += 5 * np.sign(a[k])  # far from where its other half is
        moved = bin_codes(d, a)
        order = np.argsort(moved)
        write_map(
            replace(result, labels={"C-C": replace(one, codes=moved[order], halves=one.halves[order])}),
            tmp_path / "m.e3d",
        )
        with pytest.raises(E3DError, match=r"not those of the same pairs|allow"):
            read_map(tmp_path / "m.e3d")


def test_what_is_left_is_a_map_again(tmp_path):
    """Sums that cancel are within what the bins allow, so that the file is read again."""
    rng = np.random.default_rng(11)
    D, A = rng.normal(-4.5, 0.3, 20000), np.zeros(20000)
    whole = label_map(D, A, 0.1, False, "")
    part = label_map(D[1:], A[1:], 0.1, False, "")
    left = EnergyMap(0.1, "2.2", 2, (0, 1), {"C-H": whole}).subtract(
        EnergyMap(0.1, "2.2", 1, (0, 0), {"C-H": part})
    )
    write_map(left, tmp_path / "m.e3d")
    assert read_map(tmp_path / "m.e3d").labels["C-H"].mean_D == pytest.approx(D[0], abs=1e-8)
    other = replace(part, sum_D=part.sum_D + 3.0)
    with pytest.raises(E3DError, match=r"sum_D would be .*only a part that was added before"):
        EnergyMap(0.1, "2.2", 2, (0, 1), {"C-H": whole}).subtract(
            EnergyMap(0.1, "2.2", 1, (0, 0), {"C-H": other})
        )


def test_missing_map_file(tmp_path):
    with pytest.raises(E3DError, match="no such file"):
        read_map(tmp_path / "nothing.e3d")
    with pytest.raises(E3DError, match="cannot write"):
        write_map(a_map(), tmp_path / "no folder" / "m.e3d")


def test_subtract_undoes_merge():
    a, b = a_map(1), a_map(2)
    b.labels["C-O"] = label_map(np.array([-5.0, -5.1]), np.array([1.0, 1.3]), 0.1, False, "C-O")
    rest = a.merge(b).subtract(b)
    assert (rest.samples, rest.steps, list(rest.labels)) == (3, (10, 40), ["C-C", "C-H", "H-H", "C-O"])
    for name, one in a.labels.items():
        left = rest.labels[name]
        assert left.count == one.count and as_dict(left) == as_dict(one), name
        assert left.entropy_nats == one.entropy_nats
        moments = [(x.mean_D, x.std_D, x.mean_A, x.std_A, x.mean_absA) for x in (left, one)]
        assert moments[0] == pytest.approx(moments[1], abs=1e-12), name
    empty = rest.labels["C-O"]
    assert (empty.count, empty.sum_D, empty.sum_D2, empty.sum_absA, empty.codes.size) == (0, 0.0, 0.0, 0.0, 0)
    nothing = a.subtract(a)
    assert (nothing.samples, nothing.steps, nothing.by_count()) == (0, None, [])


def test_what_was_never_added_cannot_be_subtracted():
    a, b = a_map(1), a_map(2)
    with pytest.raises(E3DError, match=r"pair C-C: bin -?\d+ -?\d+ of the map to subtract holds more"):
        a.subtract(b)
    with pytest.raises(E3DError, match="4 samples cannot be subtracted from one of 3"):
        a.subtract(replace(a, samples=4))
    lone = replace(a, labels={"C-C": a.labels["C-C"]})
    with pytest.raises(E3DError, match="leaves pairs of C-H"):
        a.subtract(lone)
    with pytest.raises(E3DError, match="pair C-H: bin"):
        lone.subtract(a)


def test_units_are_kept_apart(tmp_path):
    ev = a_map(1)
    kcal = replace(ev, provenance={"energy_unit": "kcal/mol"})
    write_map(kcal, tmp_path / "m")
    assert (ev.unit, read_map(tmp_path / "m").unit) == ("eV", "kcal/mol")
    for verb, act in (("added", ev.merge), ("subtracted", ev.subtract)):
        with pytest.raises(E3DError, match=f"bins of 0.1 eV and 0.1 kcal/mol cannot be {verb}"):
            act(kcal)
        with pytest.raises(E3DError, match=f"cutoffs 'covalent' and 'paper' cannot be {verb}"):
            act(replace(ev, cutoff="paper"))
