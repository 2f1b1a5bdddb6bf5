-- Digests of the features and labels that a model was fitted to, and versions of its definitions.
ALTER TABLE models ADD COLUMN inputs JSON;
-- By what regions are known again in another file of the same image.
ALTER TABLE histograms ADD COLUMN voxels_sha256 VARCHAR;
