"""Operating points of cells of somebody's own, measured in the running model, and weights that are placed accordingly.

Somebody's cells fire at rates that nobody but the model knows: with too little drive they are silent, with too much
depolarisation blocks them, and feedback that moves a tuft by less than the noise of a trial teaches nothing. All of it
is measured with stimuli of the task: the rate against the drive; the teacher that is just strong enough; the feedback
that is just seen.
"""
