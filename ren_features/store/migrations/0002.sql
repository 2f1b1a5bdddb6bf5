-- Technical tags of DICOM series, rules of quality, digests of voxels, and histograms of CT numbers.
ALTER TABLE inputs ADD COLUMN kernel VARCHAR;
ALTER TABLE inputs ADD COLUMN slice_thickness_mm DOUBLE;
ALTER TABLE inputs ADD COLUMN kvp DOUBLE;
ALTER TABLE inputs ADD COLUMN vendor VARCHAR;
ALTER TABLE inputs ADD COLUMN model VARCHAR;
ALTER TABLE inputs ADD COLUMN rules_id VARCHAR;
ALTER TABLE inputs ADD COLUMN voxels_sha256 VARCHAR;

CREATE TABLE histograms (
    scan_id VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    spec_id VARCHAR NOT NULL,
    counts BIGINT[] NOT NULL,
    PRIMARY KEY (scan_id, region, spec_id)
);
