"""Channels of active cells beside the published formulas, written out again in NumPy."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

VOLTAGES = [-120.0, -95.0, -80.0, -66.0, -60.0, -51.3, -38.0, -27.0, -17.0, 0.0, 25.0, 50.0]
# rates of some are 0/0 at -66, -64.4, -38, -27 and -17 mV
Q10 = 2.3 ** ((34 - 21) / 10)


def ratio(x, y):
    """x/(exp(x/y) - 1)"""
    return y if x == 0 else x / np.expm1(x / y)


def two_rates(alpha, beta, speed=1.0):
    return alpha / (alpha + beta), 1 / (alpha + beta) / speed


def boltzmann(v, half, slope):
    return 1 / (1 + np.exp((v - half) / slope))


def sodium_activation(v):
    return 0.182 * ratio(-(v + 38), 6), 0.124 * ratio(v + 38, 6)


def transient_sodium(v):  # Colbert & Pan 2002
    return {
        "m": two_rates(*sodium_activation(v), Q10),
        "h": two_rates(0.015 * ratio(v + 66, 6), 0.015 * ratio(-(v + 66), 6), Q10),
    }


def persistent_sodium(v):  # Magistretti & Alonso 1999
    tau = 6 * two_rates(*sodium_activation(v), Q10)[1]
    closing = two_rates(2.88e-6 * ratio(v + 17, 4.63), 6.94e-6 * ratio(-(v + 64.4), 2.63), Q10)[1]
    return {"m": (boltzmann(v, -52.6, -4.6), tau), "h": (boltzmann(v, -48.8, 10), closing)}


def transient_potassium(v):  # Korngreen & Sakmann 2000, half activations moved by the junction potential
    return {
        "m": (boltzmann(v, -10, -19), (0.34 + 0.92 * np.exp(-(((v + 81) / 59) ** 2))) / Q10),
        "h": (boltzmann(v, -76, 10), (8 + 49 * np.exp(-(((v + 83) / 23) ** 2))) / Q10),
    }


def persistent_potassium(v):  # Korngreen & Sakmann 2000
    bell = 175.03 * np.exp(0.026 * (v + 10)) if v < -60 else 13 * np.exp(-0.026 * (v + 10))
    slow = 360 + (1010 + 24 * (v + 65)) * np.exp(-(((v + 85) / 48) ** 2))
    return {"m": (boltzmann(v, -11, -12), (1.25 + bell) / Q10), "h": (boltzmann(v, -64, 11), slow / Q10)}


def kv3(v):  # Rettig et al. 1992
    return {"m": (boltzmann(v, 18.7, -9.7), 4 * boltzmann(v, -46.56, -44.14))}


def muscarinic(v):  # Adams et al. 1982
    return {"m": (boltzmann(v, -35, -5), 1 / (0.0066 * np.cosh((v + 35) / 10)) / Q10)}


def ih(v):  # Kole et al. 2006
    return {"m": two_rates(0.00643 * ratio(v + 154.9, 11.9), 0.193 * np.exp(v / 33.1))}


def high_calcium(v):  # Reuveni et al. 1993
    return {
        "m": two_rates(0.055 * ratio(-27 - v, 3.8), 0.94 * np.exp((-75 - v) / 17)),
        "h": two_rates(0.000457 * np.exp((-13 - v) / 50), 0.0065 / (np.exp((-v - 15) / 28) + 1)),
    }


def low_calcium(v):  # Avery & Johnston 1996, Randall & Tsien 1997
    return {
        "m": (boltzmann(v, -40, -6), (5 + 20 * boltzmann(v, -35, 5)) / Q10),
        "h": (boltzmann(v, -90, 6.4), (20 + 50 * boltzmann(v, -50, 7)) / Q10),
    }


CHANNELS = {
    "SegDendNaT": (transient_sodium, "ina", 3),
    "SegDendNaP": (persistent_sodium, "ina", 3),
    "SegDendKT": (transient_potassium, "ik", 4),
    "SegDendKP": (persistent_potassium, "ik", 2),
    "SegDendKv3": (kv3, "ik", 1),
    "SegDendKM": (muscarinic, "ik", 1),
    "SegDendH": (ih, "i_SegDendH", 1),
    "SegDendCaHVA": (high_calcium, "ica", 2),
    "SegDendCaLVA": (low_calcium, "ica", 2),
}
REVERSAL = {"ina": 50.0, "ik": -85.0, "i_SegDendH": -45.0}


@pytest.fixture
def h(ranks):
    from segdend_plugin.engine import mechanisms

    mechanisms.load()
    from neuron import h

    ranks.pc.gid_clear(3)  # variables that a network of another test transferred between ranks
    h.celsius, h.dt = 34.0, 0.025
    yield h
    h.celsius = 6.3


@pytest.fixture(params=[0, 1], ids=["computed", "looked up"])
def patch(request, h):
    """Return a function that gives a small patch with one channel, its rates from the formulas or from the table."""

    def make(name):
        setattr(h, f"usetable_{name}", request.param)
        section = h.Section(name="patch")
        section.L = section.diam = 10
        section.insert(name)
        getattr(section(0.5), name).gbar = 1e-3
        if section.has_membrane("na_ion"):
            section.ena = 50
        if section.has_membrane("k_ion"):
            section.ek = -85
        return section, 1e-9 if request.param == 0 else 3e-3

    yield make
    for name in CHANNELS:
        setattr(h, f"usetable_{name}", 1)


@pytest.mark.parametrize("name", CHANNELS)
def test_gates_follow_the_published_formulas(h, patch, name):
    section, tolerance = patch(name)
    for v in VOLTAGES:
        h.finitialize(v)
        channel = getattr(section(0.5), name)
        for gate, (infinity, tau) in CHANNELS[name][0](v).items():
            assert getattr(channel, f"{gate}_inf") == pytest.approx(infinity, rel=tolerance, abs=1e-9)
            step = getattr(channel, f"{gate}_step")  # of the way to it
            assert -h.dt / np.log1p(-step) == pytest.approx(tau, rel=tolerance)
            assert getattr(channel, gate) == pytest.approx(infinity, rel=tolerance, abs=1e-9)


@pytest.mark.parametrize("name", CHANNELS)
def test_the_current_of_a_voltage_step_relaxes_as_published(h, patch, name):
    """From -90 mV to 0 mV: each gate is exponential, and the current is their product times the driving force."""
    section, tolerance = patch(name)
    formulas, variable, power = CHANNELS[name]
    clamp = h.SEClamp(section(0.5))
    clamp.dur1, clamp.amp1, clamp.rs = 1e9, 0.0, 1e-6
    before, after = formulas(-90.0), formulas(0.0)
    h.finitialize(-90)
    for end in (0.5, 4.0, 30.0):
        while h.t < end - 1e-6:
            h.fadvance()
        h.fcurrent()
        gates = {g: after[g][0] + (before[g][0] - after[g][0]) * np.exp(-h.t / after[g][1]) for g in after}
        conductance = 1e-3 * gates["m"] ** power * gates.get("h", 1.0)
        reversal = section.eca if variable == "ica" else REVERSAL[variable]
        current = getattr(section(0.5), variable)
        assert current == pytest.approx(-conductance * reversal, rel=4 * tolerance + 1e-6, abs=1e-12)


def test_potassium_channels_open_with_calcium(h):
    """Kohler et al. 1996: half activation at 0.43 uM, a Hill coefficient of 4.8, a time constant of 1 ms."""
    section = h.Section(name="patch")
    section.insert("SegDendSK")
    for computed, tolerance in ((0, 1e-9), (1, 0.02)):
        h.usetable_SegDendSK = computed
        for calcium in (0.0, 5e-5, 2e-4, 4.3e-4, 1e-3, 1e-2, 0.1):
            section.cai = calcium
            h.finitialize(-70)
            z = 0 if calcium == 0 else 1 / (1 + (4.3e-4 / calcium) ** 4.8)
            assert section(0.5).SegDendSK.z == pytest.approx(z, rel=tolerance, abs=1e-6)
    section.cai = 4.3e-4
    h.finitialize(-70)
    section.cai = 1.0
    for _ in range(40):
        h.fadvance()
    assert section(0.5).SegDendSK.z == pytest.approx(1 - 0.5 * np.exp(-1.0), rel=1e-6)


def test_calcium_leaves_the_shell(h):
    """Without current it decays; a current raises it by its charge over 2 F, in a shell of 0.1 um."""
    section = h.Section(name="patch")
    section.L = section.diam = 10
    section.insert("SegDendCaDynamics")
    section.insert("SegDendCaHVA")
    shell = section(0.5).SegDendCaDynamics
    shell.gamma, shell.decay = 0.02, 50.0
    h.finitialize(-70)
    assert section.cai == pytest.approx(1e-4)
    section.cai = 2e-3
    while h.t < 20 - 1e-9:
        h.fadvance()
    assert section.cai == pytest.approx(1e-4 + 1.9e-3 * np.exp(-20 / 50), rel=1e-6)

    section(0.5).SegDendCaHVA.gbar = 1e-4
    clamp = h.SEClamp(section(0.5))
    clamp.dur1, clamp.amp1, clamp.rs = 1e9, -20.0, 1e-6
    shell.decay = 1e9
    charge = h.Vector().record(section(0.5)._ref_ica)
    h.finitialize(-20)
    while h.t < 5 - 1e-9:
        h.fadvance()
    coulombs = -np.array(charge)[1:].sum() * h.dt * 1e-6  # mA/cm2 ms = 1e-6 C/cm2
    moles = 0.02 * coulombs / (2 * 96485.33)
    assert section.cai - 1e-4 == pytest.approx(moles / 1e-5 * 1e6, rel=0.01)  # 0.1 um = 1e-5 cm; mol/cm3 = 1e6 mM


def test_units_of_all_mechanisms_of_active_cells_agree():
    tool = shutil.which("modlunit", path=str(Path(sys.executable).parent))
    assert tool
    from segdend_plugin import resources
    from segdend_plugin.cells import active

    folder = resources.folder("mechanisms")
    for name in (*active.PARAMETERS, "SegDendDetector"):
        done = subprocess.run([tool, f"{name}.mod"], cwd=folder, capture_output=True, text=True, timeout=60)
        said = [line for line in (done.stdout + done.stderr).splitlines() if "INCLUDE" not in line]
        assert done.returncode == 0
        assert [line for line in said if not line.startswith(("Checking", "model"))] == [], said
