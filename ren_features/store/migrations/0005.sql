-- Digests of the features and labels that a model was fitted to, and versions of its definitions.
ALTER TABLE models ADD COLUMN inputs JSON;
