"""Arrays of voxels: extents, histograms, resampling, and the numba kernels behind them."""
