-- Architectures, sets of regions and names of methods apart; results with a key that is never NULL; embeddings;
-- processes of runs; series of scans.
ALTER TABLE runs ADD COLUMN pid INTEGER;
ALTER TABLE scans ADD COLUMN series VARCHAR;

CREATE TABLE embeddings (
    model_id VARCHAR NOT NULL,
    scan_id VARCHAR NOT NULL,
    layer VARCHAR NOT NULL,
    patient_id VARCHAR NOT NULL,
    region VARCHAR,
    architecture VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    vector FLOAT[] NOT NULL,
    PRIMARY KEY (model_id, scan_id, layer)
);

ALTER TABLE models RENAME TO old_models;
CREATE TABLE models (
    model_id VARCHAR PRIMARY KEY,
    experiment VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    architecture VARCHAR NOT NULL,
    region VARCHAR,
    region_set VARCHAR,
    task VARCHAR NOT NULL,
    split_id VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    permutation INTEGER NOT NULL,
    spec_id VARCHAR NOT NULL,
    settings_id VARCHAR,
    params JSON NOT NULL,
    changed JSON NOT NULL,
    metrics JSON NOT NULL,
    checkpoint VARCHAR,
    run_id VARCHAR NOT NULL,
    inputs JSON
);
INSERT INTO models BY NAME
SELECT * EXCLUDE (architecture), architecture AS method,
       CASE experiment WHEN 'baselines' THEN 'baseline' ELSE 'radiomics' END AS architecture,
       CASE WHEN region IS NULL THEN CASE WHEN ends_with(architecture, '_lobe_mean') THEN 'lobe_mean' WHEN architecture <> 'clinical' THEN 'all_regions' END END AS region_set,
       CASE WHEN kind = 'baseline' THEN '{}' ELSE (
           SELECT coalesce(json_group_object(key, value), '{}') FROM json_each(params)
           WHERE key <> 'sound_only' AND value IS DISTINCT FROM json_extract('{"n_estimators": 50, "max_depth": 3, "learning_rate": 0.1, "min_child_weight": 1.0, "reg_lambda": 1.0, "subsample": 1.0, "colsample_bytree": 1.0, "seed": 0, "early_stopping_rounds": null, "search": {}, "inner_folds": 3}', key)
       ) END AS changed
FROM old_models;
DROP TABLE old_models;

UPDATE predictions SET architecture = (SELECT architecture FROM models WHERE models.model_id = predictions.model_id)
WHERE model_id IN (SELECT model_id FROM models);

ALTER TABLE results RENAME TO old_results;
CREATE TABLE results (
    experiment VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    split_id VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    region VARCHAR,
    scope VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    metric VARCHAR NOT NULL,
    permutation INTEGER NOT NULL,
    value DOUBLE,
    spec_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    PRIMARY KEY (experiment, task, split_id, method, scope, round, metric, permutation)
);
INSERT OR IGNORE INTO results BY NAME
SELECT *, coalesce(region, CASE WHEN region IS NULL THEN CASE WHEN ends_with(method, '_lobe_mean') THEN 'lobe_mean' WHEN method <> 'clinical' THEN 'all_regions' END END, 'patient') AS scope FROM old_results;
DROP TABLE old_results;
