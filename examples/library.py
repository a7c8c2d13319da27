"""Build a network, teach it digits, read its weights and look into a cell; cell file or name as argument, if any."""

import sys

import matplotlib.pyplot as plt

from segdend_plugin import Learner, callbacks, layered, rules, tasks

digits = tasks.load("digits")
cell = sys.argv[1] if len(sys.argv) > 1 else "three_compartment"
learner = Learner(layered([64, 20, 10], cell), rules.Guerguiev(), phases=rules.TwoPhase(jitter=False))
records = [callbacks.Record("hidden", "potential", place=p, cells=[3], examples="last") for p in ("soma", "tuft")]
learner.fit(digits.train, epochs=5, callbacks=records)
print(f"{learner.score(digits.held_out):.0%} of {len(digits.held_out)} digits are recognised")

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.imshow(learner.weights("input->hidden")[:, 3].reshape(8, 8), cmap="RdBu")
left.set_title("weights onto hidden cell 3")
for record in records:
    right.plot(record.times, record.millivolts[learner.example - 1], label=record.place.region)
begin, end = learner.phases.resolve(learner.graph).forward, records[0].times[-1]
right.axvspan(begin, end, color="0.9", label="with teacher")
right.set(xlabel="time (ms)", ylabel="potential (mV)")
right.legend()
figure.savefig("library.png")
