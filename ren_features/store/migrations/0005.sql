-- By what regions are known again in another file of the same image.
ALTER TABLE histograms ADD COLUMN voxels_sha256 VARCHAR;
