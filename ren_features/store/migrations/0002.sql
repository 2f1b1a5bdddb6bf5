-- Technical tags of DICOM series, and histograms of CT numbers.
ALTER TABLE inputs ADD COLUMN kernel VARCHAR;
ALTER TABLE inputs ADD COLUMN slice_thickness_mm DOUBLE;
ALTER TABLE inputs ADD COLUMN kvp DOUBLE;
ALTER TABLE inputs ADD COLUMN vendor VARCHAR;
ALTER TABLE inputs ADD COLUMN model VARCHAR;

CREATE TABLE histograms (
    scan_id VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    spec_id VARCHAR NOT NULL,
    counts BIGINT[] NOT NULL,
    PRIMARY KEY (scan_id, region, spec_id)
);
