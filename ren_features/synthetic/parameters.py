"""Parameters of synthetic cohorts, in one typed object; outlines of organs stand with their shapes.

Each has its source. Where none was found that measures it, the line says "ours": a choice that looks right, and no more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ren_features.errors import SpecError

HORIZONS_YEARS = (1, 3, 5)
"""[METHOD section 8] Of the labels `death_1`, `death_3` and `death_5`."""


@dataclass(frozen=True)
class Normal:
    """A normal distribution, cut off at 2.5 standard deviations."""

    mean: float
    sd: float


@dataclass(frozen=True)
class BodyParameters:
    """Sizes of bodies, at full inspiration; women's, and how much larger men's are.

    Parameters
    ----------
    height_mm, half_width_mm, half_depth_mm, dome_mm, heart_mm, fat_mm : Normal
        See `anatomy.Build`. Ours, so that the lungs have the volume of supine adults: 4.07 +- 1.19 l (Cressoni, Crit Care
        2013;17:R93), 4.47 +- 1.27 l (Cheng, Int J COPD 2019;14:1657).
    size : Normal
        Scale of all lengths of one person. Ours, for the spread of these volumes.
    oblique, horizontal : Normal
        Heights of the fissures, as parts of the lungs'; ours, so that lobes have their shares (Yamada, Respiration 2020;99:598:
        RUL 18, RML 9, RLL 27, LUL 23, LLL 23 %).
    male : float
        Scale of a man's lengths.
    lung_hu : Normal
        Mean density without vessels, at full inspiration. With vessels, 17 healthy adults had -770 to -875 HU (Adams, Clin
        Radiol 1991;43:238), others -778 to -880 HU (Perhomaa, Acta Radiol 2000;41:242); densities of slices, corrected for
        their area, have an SD of 25 HU between people (Fromson, Thorax 1988;43:120).
    unevenness, vessels : Normal
        See `Parenchyma`. Ours; vessels become fewer with age and more with smoking (Sun, Quant Imaging Med Surg
        2022;12:406).
    contrast : float
        Share of scans with a contrast medium, which makes lungs denser (Adams 1991). Ours.
    contrast_hu : Normal
        Density of blood with it. Ours.
    gradient_hu : float
        How much denser the back is than the front: slight at full inspiration (Millar, Thorax 1989;44:485); the number is ours.
    inspiration, breath : Normal
        Volume as a part of that at full inspiration, at most 1: a patient's mean, and how a scan differs from it. Density
        follows, as tissue keeps its mass (Verschakelen, AJR 1993;161:713). Readers cannot see whether a breath is full
        (Vikgren, Eur Radiol 2003;13:1235). Ours, for the 5.5 HU (SD) between two scans of a healthy person (PubMed 21752566).
    """

    height_mm: Normal = Normal(238, 14)
    half_width_mm: Normal = Normal(120, 6)
    half_depth_mm: Normal = Normal(82, 6)
    dome_mm: Normal = Normal(56, 6)
    heart_mm: Normal = Normal(46, 3)
    fat_mm: Normal = Normal(20, 6)
    oblique: Normal = Normal(0.84, 0.012)
    horizontal: Normal = Normal(0.46, 0.02)
    size: Normal = Normal(1.0, 0.055)
    male: float = 1.08
    lung_hu: Normal = Normal(-866, 24)
    unevenness: Normal = Normal(1.0, 0.25)
    vessels: Normal = Normal(1.0, 0.2)
    contrast: float = 0.35
    contrast_hu: Normal = Normal(190, 45)
    gradient_hu: float = 20.0
    inspiration: Normal = Normal(0.94, 0.035)
    breath: Normal = Normal(0.0, 0.025)


@dataclass(frozen=True)
class DiseaseParameters:
    """Where patterns are, and what they look like.

    Parameters
    ----------
    basal, dorsal, peripheral, patchy : float
        What makes a place prone to interstitial lung disease: its nearness to the base, to the back, to the pleura, and chance.
        In systemic sclerosis the disease is peripheral and worst in the lower zones (Goldin, Chest 2008;134:358; DeMizio, Curr
        Opin Rheumatol 2019;31:553). The weights are ours.
    subpleural_mm : float
        Depth within which the pleura is near. Ours.
    ground_glass_hu : float
        Rise of density in ground glass, through which vessels stay visible (Hansell, Radiology 2008;246:697). Ours: brings lung
        to about -640 HU, within the -700 to -500 HU of histograms' peaks.
    fibrosis_hu, line_hu : float
        Reticulation: rise between the lines, and of a line (a net of small linear opacities, Hansell 2008). Ours.
    line_mm, mesh_mm : float
        Thickness of lines, and the meshes between them: medium reticulation has 3 to 10 mm (Radiopaedia). Thickness is ours.
    cyst_mm, cyst_wall_mm, cyst_hu, cyst_wall_hu : float
        Honeycombing: clustered cysts of 3 to 10 mm that share walls of 1 to 3 mm (Hansell 2008; Radiopaedia); air and tissue.
    traction : float
        Bronchi within fibrosis are wider by this factor more (traction bronchiectasis, Hansell 2008). Ours.
    lobule_mm : float
        Size of a secondary pulmonary lobule: 10 to 25 mm (Webb, Radiology 2006;239:322).
    hole_mm, emphysema_hu : float
        Centrilobular emphysema: radius of the hole in a lobule's centre (ours), below -950 HU (Lynch, Radiology 2015;277:192);
        in the upper zones.
    infection_hu : float
        Consolidation is free of air, -100 to 50 HU (Gattinoni, AJRCCM 2001;164:1701); a focus is not wholly consolidated.
    atelectasis_hu, atelectasis_mm : float
        Dependent density, a few mm to 1 cm along the lowest pleura (Lee, Korean J Radiol 2002;3:24). HU are ours.
    """

    basal: float = 0.9
    dorsal: float = 0.35
    peripheral: float = 0.8
    patchy: float = 0.28
    subpleural_mm: float = 14.0
    ground_glass_hu: float = 220.0
    fibrosis_hu: float = 40.0
    line_hu: float = 400.0
    line_mm: float = 0.8
    mesh_mm: float = 8.0
    cyst_mm: float = 7.0
    cyst_wall_mm: float = 1.5
    cyst_hu: float = -930.0
    cyst_wall_hu: float = -50.0
    traction: float = 1.2
    lobule_mm: float = 13.0
    hole_mm: float = 4.5
    emphysema_hu: float = -985.0
    infection_hu: float = -150.0
    atelectasis_hu: float = -570.0
    atelectasis_mm: float = 8.0


@dataclass(frozen=True)
class PopulationParameters:
    """Patients, and the extent of their disease.

    Parameters
    ----------
    female, age : float, Normal
        [REN, section III.A] 81.9 % women; 63.7 +- 12.7 years, here at the first scan.
    first_year, last_year : int
        [REN, section III.A] Scans are of 2001 to 2023.
    gap_years : float
        Mean time between scans. Ours.
    label_noise : float
        Share of the patients whose label is wrong.
    extent : float
        Median share of the lungs that the disease takes at the first scan. Ours; a cohort, and milder than trials, which ask for
        10 % and more (SENSCIS, Distler, NEJM 2019;380:2518).
    extent_spread : float
        Standard deviation of its logarithm. Ours.
    largest_extent : float
        Ours.
    growth : float
        Mean yearly growth of the extent, as a part of it; 20 to 30 % of patients progress (Vonk, Eur Respir Rev 2021;30:200340).
    fibrosis : Normal
        Share of the disease that is reticulation or honeycombing: half (Desai, Radiology 2004;232:560); the spread is ours.
    honeycombing : float
        Share of the patients with any: 37 % (Goldin, Chest 2008;134:358).
    emphysema : float
        Share of patients with emphysema: 1.6 % of those who never smoked, 28.5 % of smokers (Henschke, Lung Cancer 2015;88:42).
    honeycombing_share : tuple of float
        Smallest and largest share of the fibrosis, where there is any. Ours.
    emphysema_extent : tuple of float
        Smallest and largest share of the lungs, where there is any. Ours.
    infection : float
        Share of scans with a focus: 8.7 % (Mautz, AJR 2021, doi 10.2214/AJR.20.25124).
    atelectasis : float
        Share of scans with dependent density. Ours.
    infection_mm, atelectasis_strength : tuple of float
        Smallest and largest radius of a focus, and density of the dependent band. Ours.
    same_scanner : float
        Chance that a patient comes back to the scanner of the first scan. Ours.
    lobectomy : float
        Share of patients who lack a lobe. Ours: more than there are, so that a small cohort has one.
    hazard : float
        Yearly risk of death at the mean age without the disease, such that 5-year survival comes near 86 % (Pokeerbux, Arthritis
        Res Ther 2019;21:86).
    hazard_of_extent : float
        By which its logarithm rises per unit of extent: 2.5-fold for extents above 20 % (Goh, AJRCCM 2008;177:1248).
    hazard_of_age : float
        The same per year. Ours.
    """

    female: float = 0.819
    age: Normal = Normal(63.7, 12.7)
    first_year: int = 2001
    last_year: int = 2023
    gap_years: float = 1.4
    label_noise: float = 0.03
    extent: float = 0.05
    extent_spread: float = 1.5
    largest_extent: float = 0.5
    growth: float = 0.10
    fibrosis: Normal = Normal(0.5, 0.25)
    honeycombing: float = 0.37
    emphysema: float = 0.15
    honeycombing_share: tuple[float, float] = (0.1, 0.5)
    emphysema_extent: tuple[float, float] = (0.05, 0.25)
    infection: float = 0.087
    atelectasis: float = 0.45
    infection_mm: tuple[float, float] = (12.0, 30.0)
    atelectasis_strength: tuple[float, float] = (0.3, 1.0)
    same_scanner: float = 0.8
    lobectomy: float = 0.04
    hazard: float = 0.02
    hazard_of_extent: float = 4.5
    hazard_of_age: float = 0.04


@dataclass(frozen=True)
class ScannerParameters:
    """Differences between scanners; each has one kernel, one slice thickness, one dose and one calibration.

    Parameters
    ----------
    softest_mm, sharpest_mm : float
        Resolution in the plane (width of the point spread at half its height). Ours.
    noise_hu : float
        Noise of the softest kernel at 1 mm: 17.7 HU at 1.25 mm (Pontana, Diagn Interv Imaging 2015;96:487). Its variance goes as
        the third power of the resolution (Chesler, J Comput Assist Tomogr 1977;1:64) and as the inverse of the thickness.
    dose_spread : float
        Standard deviation of the logarithm of the noise between scanners. Ours.
    thickness_mm : tuple of float
        Slice thicknesses in use.
    offset_hu : float
        Standard deviation of calibrations. Ours.
    """

    softest_mm: float = 1.8
    sharpest_mm: float = 0.9
    noise_hu: float = 15.0
    dose_spread: float = 0.15
    thickness_mm: tuple[float, ...] = (1.0, 1.25, 2.5, 3.0)
    offset_hu: float = 3.0


@dataclass(frozen=True)
class CohortParameters:
    """A synthetic cohort; equal parameters give equal files.

    Parameters
    ----------
    patients : int
    seed : int
    scans_per_patient : float
        On average; the total is exact, and each patient has one at least. [REN, section III.A] 3.2.
    spacing_mm : float
        Size of the cubic voxels.
    prevalence : float
        Share of patients with interstitial lung disease; [REN, section III.A] 61.1 %.
    effect : float
        Multiplies the extent of the disease: at 0 the ill do not differ from the others.
    scanners : int
    scanner_bias : float
        How much the scanner tells of the label: at 0 nothing, at 1 ill patients have scanners of their own.
    faults : int
        Scans that are damaged, each in one way (`faults`).
    body, disease, population, scanner : parameters of each
    """

    patients: int
    seed: int = 0
    scans_per_patient: float = 3.2
    spacing_mm: float = 3.0
    prevalence: float = 0.61
    effect: float = 1.0
    scanners: int = 4
    scanner_bias: float = 0.0
    faults: int = 0
    body: BodyParameters = field(default_factory=BodyParameters)
    disease: DiseaseParameters = field(default_factory=DiseaseParameters)
    population: PopulationParameters = field(default_factory=PopulationParameters)
    scanner: ScannerParameters = field(default_factory=ScannerParameters)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("patients", 1, 100_000),
            ("seed", 0, 2**63),
            ("scans_per_patient", 1, 20),
            ("spacing_mm", 0.5, 20),
            ("prevalence", 0, 1),
            ("effect", 0, 10),
            ("scanners", 1, 100),
            ("scanner_bias", 0, 1),
        ):
            _check(name, getattr(self, name), low, high)
        _check("faults", self.faults, 0, self.scans)
        if self.scanner_bias and self.scanners == 1:
            raise SpecError(f"scanner_bias: expected 0 with one scanner, got {self.scanner_bias}: a bias takes two")

    @property
    def scans(self) -> int:
        """Scans of all patients."""
        return round(self.patients * self.scans_per_patient)

    def as_dict(self) -> dict[str, Any]:
        """All parameters, as YAML holds them."""
        return asdict(self)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SpecError(f"{name}: expected {low:g} to {high:g}, got {value}")
