"""Private mechanisms side by side: the same folds of the same rows, many draws of the noise.

A study trains once; a comparison trains tens of thousands of times. The trainings are therefore
done in closed form (:mod:`simulations.compare.stacked`), which tests hold against the product's own
clinics and server.
"""
