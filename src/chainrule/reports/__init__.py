"""Reports: readers of graphs, recorded values and run directories. Turning one on changes no bit of a training."""
