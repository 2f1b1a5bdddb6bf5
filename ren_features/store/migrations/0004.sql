-- Splits, experts and what they predict.
CREATE TABLE splits (
    split_id VARCHAR PRIMARY KEY,
    task VARCHAR NOT NULL,
    protocol VARCHAR NOT NULL,
    folds INTEGER NOT NULL,
    seed BIGINT NOT NULL,
    patients INTEGER NOT NULL,
    without_label INTEGER NOT NULL,
    run_id VARCHAR NOT NULL,
    made_at TIMESTAMP NOT NULL
);

CREATE TABLE rounds (
    split_id VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    patient_id VARCHAR NOT NULL,
    part VARCHAR NOT NULL,
    PRIMARY KEY (split_id, round, patient_id)
);

CREATE TABLE models (
    model_id VARCHAR PRIMARY KEY,
    experiment VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    architecture VARCHAR NOT NULL,
    region VARCHAR,
    task VARCHAR NOT NULL,
    split_id VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    permutation INTEGER NOT NULL,
    spec_id VARCHAR NOT NULL,
    params JSON NOT NULL,
    metrics JSON NOT NULL,
    checkpoint VARCHAR,
    run_id VARCHAR NOT NULL
);

CREATE TABLE predictions (
    model_id VARCHAR NOT NULL,
    scan_id VARCHAR NOT NULL,
    patient_id VARCHAR NOT NULL,
    region VARCHAR,
    architecture VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    part VARCHAR NOT NULL,
    label INTEGER NOT NULL,
    probability DOUBLE,
    probabilities DOUBLE[],
    PRIMARY KEY (model_id, scan_id)
);

-- Not a primary key: the region of an expert on all regions is NULL.
CREATE TABLE results (
    experiment VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    split_id VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    region VARCHAR,
    round INTEGER NOT NULL,
    metric VARCHAR NOT NULL,
    permutation INTEGER NOT NULL,
    value DOUBLE,
    spec_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    UNIQUE (experiment, task, split_id, method, region, round, metric, permutation)
);
