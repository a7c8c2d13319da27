"""Somebody's own cells learn the same weights on any number of ranks, and their model stays as it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]
CHILD = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from segdend_plugin.engine.session import session
ranks = session().ranks
import numpy as np
from neuron import h
from attached_model import HIDDEN, INPUTS, NOISY, OUTPUT, Model
from segdend_plugin.learner import Learner
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import OnePhase, TwoPhase
from segdend_plugin.rule.urbanczik import UrbanczikSenn

rule, exact = sys.argv[2], sys.argv[3] == "exact"
model = Model(ranks.pc)
times, gids = h.Vector(), h.Vector()
ranks.pc.spike_record(-1, times, gids)
two_phases = rule == "guerguiev"
network = model.attach(seed=3, exact=exact, feedback=two_phases)
if two_phases:
    learner = Learner(network, Guerguiev(phases=TwoPhase(60, 60, settle=20, jitter=True)), learning_rates=0.5)
else:
    learner = Learner(network, UrbanczikSenn(phases=OnePhase(120, settle=20)), learning_rates=0.5)
rasters, draw = [], np.random.default_rng(0)
first = network.gather()
for k in range(3):
    stimulus = Stimulus({"inputs": draw.random(len(INPUTS))}, {"out": np.eye(len(OUTPUT))[k % len(OUTPUT)]})
    ranks.pc.barrier()
    learner.begin_trial(stimulus, taught=True) if False else None
    trial = learner._one_trial(stimulus, True, learning=True)
    wants, answers = learner._wants_of(trial, learner._quantity(), (), learning=True)
"""
