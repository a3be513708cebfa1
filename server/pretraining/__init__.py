"""Central pretraining of the affect network on open data: data sets, labels, loss, training."""
