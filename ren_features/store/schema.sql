-- The store: one DuckDB file. What each table and column means stands in data_catalog/tables.yaml.
-- This is the whole schema of the newest version; older stores get there by store/migrations.

CREATE TABLE schema_version (version INTEGER NOT NULL);

-- The cohort, as its manifest gives it ---------------------------------------------------------------------------

CREATE TABLE patients (patient_id VARCHAR PRIMARY KEY);

CREATE TABLE scans (
    scan_id VARCHAR PRIMARY KEY,
    patient_id VARCHAR NOT NULL,
    image VARCHAR NOT NULL,
    mask VARCHAR,
    mask_scheme VARCHAR,
    scan_date DATE,
    attributes JSON NOT NULL,
    series VARCHAR
);

CREATE TABLE labels (
    scan_id VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (scan_id, task)
);

-- Dictionaries ---------------------------------------------------------------------------------------------------

CREATE TABLE regions (
    name VARCHAR PRIMARY KEY,
    position INTEGER NOT NULL,
    members VARCHAR[] NOT NULL,
    description VARCHAR
);

CREATE TABLE features (
    name VARCHAR PRIMARY KEY,
    family VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    ibsi_id VARCHAR,
    ibsi_name VARCHAR,
    definition VARCHAR NOT NULL,
    ibsi_difference VARCHAR NOT NULL,
    title VARCHAR,
    range VARCHAR
);

-- Provenance -----------------------------------------------------------------------------------------------------

CREATE TABLE specs (
    spec_id VARCHAR PRIMARY KEY,
    engine VARCHAR NOT NULL,
    engine_version VARCHAR NOT NULL,
    settings JSON NOT NULL
);

CREATE TABLE runs (
    run_id VARCHAR PRIMARY KEY,
    command VARCHAR NOT NULL,
    spec_id VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    status VARCHAR NOT NULL,
    git_commit VARCHAR,
    host VARCHAR NOT NULL,
    packages JSON NOT NULL,
    pid INTEGER
);

CREATE TABLE file_hashes (
    path VARCHAR PRIMARY KEY,
    bytes BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL
);

CREATE TABLE inputs (
    scan_id VARCHAR NOT NULL,
    spec_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    image_sha256 VARCHAR NOT NULL,
    mask_sha256 VARCHAR NOT NULL,
    mask_scheme VARCHAR,
    mask_source VARCHAR NOT NULL,
    original_size INTEGER[3] NOT NULL,
    original_spacing_mm DOUBLE[3] NOT NULL,
    analysed_size INTEGER[3] NOT NULL,
    analysed_spacing_mm DOUBLE[3] NOT NULL,
    kernel VARCHAR,
    slice_thickness_mm DOUBLE,
    kvp DOUBLE,
    vendor VARCHAR,
    model VARCHAR,
    rules_id VARCHAR,
    voxels_sha256 VARCHAR,
    PRIMARY KEY (scan_id, spec_id)
);

-- Results --------------------------------------------------------------------------------------------------------

CREATE TABLE failures (
    scan_id VARCHAR NOT NULL,
    spec_id VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    error_type VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    failed_at TIMESTAMP NOT NULL,
    image_sha256 VARCHAR,
    mask_sha256 VARCHAR,
    mask_scheme VARCHAR,
    PRIMARY KEY (scan_id, spec_id)
);

CREATE TABLE quality (
    scan_id VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    spec_id VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,
    value DOUBLE,
    message VARCHAR NOT NULL,
    PRIMARY KEY (scan_id, region, spec_id, rule)
);

CREATE TABLE histograms (
    scan_id VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    spec_id VARCHAR NOT NULL,
    counts BIGINT[] NOT NULL,
    voxels_sha256 VARCHAR,
    PRIMARY KEY (scan_id, region, spec_id)
);

CREATE TABLE radiomics (
    scan_id VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    spec_id VARCHAR NOT NULL,
    patient_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    voxels BIGINT NOT NULL,
    volume_ml DOUBLE NOT NULL,
    -- shape (14)
    original_shape_Elongation DOUBLE,
    original_shape_Flatness DOUBLE,
    original_shape_LeastAxisLength DOUBLE,
    original_shape_MajorAxisLength DOUBLE,
    original_shape_Maximum2DDiameterColumn DOUBLE,
    original_shape_Maximum2DDiameterRow DOUBLE,
    original_shape_Maximum2DDiameterSlice DOUBLE,
    original_shape_Maximum3DDiameter DOUBLE,
    original_shape_MeshVolume DOUBLE,
    original_shape_MinorAxisLength DOUBLE,
    original_shape_Sphericity DOUBLE,
    original_shape_SurfaceArea DOUBLE,
    original_shape_SurfaceVolumeRatio DOUBLE,
    original_shape_VoxelVolume DOUBLE,
    -- first order (18)
    original_firstorder_10Percentile DOUBLE,
    original_firstorder_90Percentile DOUBLE,
    original_firstorder_Energy DOUBLE,
    original_firstorder_Entropy DOUBLE,
    original_firstorder_InterquartileRange DOUBLE,
    original_firstorder_Kurtosis DOUBLE,
    original_firstorder_Maximum DOUBLE,
    original_firstorder_MeanAbsoluteDeviation DOUBLE,
    original_firstorder_Mean DOUBLE,
    original_firstorder_Median DOUBLE,
    original_firstorder_Minimum DOUBLE,
    original_firstorder_Range DOUBLE,
    original_firstorder_RobustMeanAbsoluteDeviation DOUBLE,
    original_firstorder_RootMeanSquared DOUBLE,
    original_firstorder_Skewness DOUBLE,
    original_firstorder_TotalEnergy DOUBLE,
    original_firstorder_Uniformity DOUBLE,
    original_firstorder_Variance DOUBLE,
    -- gray level co-occurrence matrix (24)
    original_glcm_Autocorrelation DOUBLE,
    original_glcm_ClusterProminence DOUBLE,
    original_glcm_ClusterShade DOUBLE,
    original_glcm_ClusterTendency DOUBLE,
    original_glcm_Contrast DOUBLE,
    original_glcm_Correlation DOUBLE,
    original_glcm_DifferenceAverage DOUBLE,
    original_glcm_DifferenceEntropy DOUBLE,
    original_glcm_DifferenceVariance DOUBLE,
    original_glcm_Id DOUBLE,
    original_glcm_Idm DOUBLE,
    original_glcm_Idmn DOUBLE,
    original_glcm_Idn DOUBLE,
    original_glcm_Imc1 DOUBLE,
    original_glcm_Imc2 DOUBLE,
    original_glcm_InverseVariance DOUBLE,
    original_glcm_JointAverage DOUBLE,
    original_glcm_JointEnergy DOUBLE,
    original_glcm_JointEntropy DOUBLE,
    original_glcm_MCC DOUBLE,
    original_glcm_MaximumProbability DOUBLE,
    original_glcm_SumAverage DOUBLE,
    original_glcm_SumEntropy DOUBLE,
    original_glcm_SumSquares DOUBLE,
    -- gray level run length matrix (16)
    original_glrlm_GrayLevelNonUniformity DOUBLE,
    original_glrlm_GrayLevelNonUniformityNormalized DOUBLE,
    original_glrlm_GrayLevelVariance DOUBLE,
    original_glrlm_HighGrayLevelRunEmphasis DOUBLE,
    original_glrlm_LongRunEmphasis DOUBLE,
    original_glrlm_LongRunHighGrayLevelEmphasis DOUBLE,
    original_glrlm_LongRunLowGrayLevelEmphasis DOUBLE,
    original_glrlm_LowGrayLevelRunEmphasis DOUBLE,
    original_glrlm_RunEntropy DOUBLE,
    original_glrlm_RunLengthNonUniformity DOUBLE,
    original_glrlm_RunLengthNonUniformityNormalized DOUBLE,
    original_glrlm_RunPercentage DOUBLE,
    original_glrlm_RunVariance DOUBLE,
    original_glrlm_ShortRunEmphasis DOUBLE,
    original_glrlm_ShortRunHighGrayLevelEmphasis DOUBLE,
    original_glrlm_ShortRunLowGrayLevelEmphasis DOUBLE,
    -- gray level size zone matrix (16)
    original_glszm_GrayLevelNonUniformity DOUBLE,
    original_glszm_GrayLevelNonUniformityNormalized DOUBLE,
    original_glszm_GrayLevelVariance DOUBLE,
    original_glszm_HighGrayLevelZoneEmphasis DOUBLE,
    original_glszm_LargeAreaEmphasis DOUBLE,
    original_glszm_LargeAreaHighGrayLevelEmphasis DOUBLE,
    original_glszm_LargeAreaLowGrayLevelEmphasis DOUBLE,
    original_glszm_LowGrayLevelZoneEmphasis DOUBLE,
    original_glszm_SizeZoneNonUniformity DOUBLE,
    original_glszm_SizeZoneNonUniformityNormalized DOUBLE,
    original_glszm_SmallAreaEmphasis DOUBLE,
    original_glszm_SmallAreaHighGrayLevelEmphasis DOUBLE,
    original_glszm_SmallAreaLowGrayLevelEmphasis DOUBLE,
    original_glszm_ZoneEntropy DOUBLE,
    original_glszm_ZonePercentage DOUBLE,
    original_glszm_ZoneVariance DOUBLE,
    -- gray level dependence matrix (14)
    original_gldm_DependenceEntropy DOUBLE,
    original_gldm_DependenceNonUniformity DOUBLE,
    original_gldm_DependenceNonUniformityNormalized DOUBLE,
    original_gldm_DependenceVariance DOUBLE,
    original_gldm_GrayLevelNonUniformity DOUBLE,
    original_gldm_GrayLevelVariance DOUBLE,
    original_gldm_HighGrayLevelEmphasis DOUBLE,
    original_gldm_LargeDependenceEmphasis DOUBLE,
    original_gldm_LargeDependenceHighGrayLevelEmphasis DOUBLE,
    original_gldm_LargeDependenceLowGrayLevelEmphasis DOUBLE,
    original_gldm_LowGrayLevelEmphasis DOUBLE,
    original_gldm_SmallDependenceEmphasis DOUBLE,
    original_gldm_SmallDependenceHighGrayLevelEmphasis DOUBLE,
    original_gldm_SmallDependenceLowGrayLevelEmphasis DOUBLE,
    -- neighbouring gray tone difference matrix (5)
    original_ngtdm_Busyness DOUBLE,
    original_ngtdm_Coarseness DOUBLE,
    original_ngtdm_Complexity DOUBLE,
    original_ngtdm_Contrast DOUBLE,
    original_ngtdm_Strength DOUBLE,
    PRIMARY KEY (scan_id, region, spec_id)
);

-- Experts --------------------------------------------------------------------------------------------------------

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

-- The region of an expert on several regions is NULL; its scope is not, and stands in the key.
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
