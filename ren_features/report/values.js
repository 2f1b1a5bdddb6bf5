// Values of one scan among the cohort's: decoded when first asked for, one block a region, shape (feature, scan).

const page = JSON.parse(document.getElementById("page").textContent);
const blocks = new Map();
const sortedValues = new Map();

function valuesOf(region, feature) {
  if (!blocks.has(region)) {
    const source = [...document.querySelectorAll("script[data-region]")].find((block) => block.dataset.region === region);
    const bytes = Uint8Array.from(atob(source.textContent), (letter) => letter.charCodeAt(0));
    blocks.set(region, new Float32Array(bytes.buffer));
  }
  const scans = page.scans.length;
  return blocks.get(region).subarray(feature * scans, (feature + 1) * scans);
}

function cohortOf(region, feature) {
  const key = `${feature} ${region}`;
  if (!sortedValues.has(key)) sortedValues.set(key, valuesOf(region, feature).filter((value) => !Number.isNaN(value)).sort());
  return sortedValues.get(key);
}

// Percent of the cohort below the value; of scans with the same value, half.
function percentile(cohort, value) {
  let below = 0;
  let same = 0;
  for (const other of cohort) {
    below += other < value;
    same += other === value;
  }
  return (100 * (below + same / 2)) / cohort.length;
}

function quantile(cohort, share) {
  const place = share * (cohort.length - 1);
  const low = Math.floor(place);
  return cohort[low] + (place - low) * (cohort[Math.ceil(place)] - cohort[low]);
}

function mark(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// A drawing 130 wide; values that are all the same stand in the middle.
function strip(cohort, value) {
  const least = cohort[0];
  const extent = cohort[cohort.length - 1] - least;
  const place = (of) => (extent ? 5 + (120 * (of - least)) / extent : 65).toFixed(1);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => place(quantile(cohort, share)));
  const drawing = mark("svg", { viewBox: "0 0 130 16", "aria-hidden": "true" });
  drawing.append(
    mark("path", { class: "range", d: "M5 8H125" }),
    mark("rect", { class: "box", x: low, y: 4, width: high - low, height: 8 }),
    mark("path", { class: "median", d: `M${middle} 4V12` }),
    mark("circle", { class: "here", cx: place(value), cy: 8, r: 3.5 }),
  );
  return drawing;
}

function cell(content, kind = "") {
  const made = document.createElement("td");
  made.className = kind;
  made.append(content);
  return made;
}

// As many digits as the page holds, and none after them that would only look like more.
function sevenDigits(value) {
  const shown = Math.abs(value) < 1e7 ? String(Number(value.toPrecision(7))) : value.toExponential(6);
  return shown.replaceAll("-", "−");
}

// Long names may break before a capital.
function nameCell(name) {
  const made = cell("");
  name.split(/(?=[A-Z][a-z])/).forEach((word, place) => made.append(...(place ? [document.createElement("wbr"), word] : [word])));
  return made;
}

function valueRow(region, feature, scan, unusualOnly) {
  const value = valuesOf(region, feature)[scan];
  if (Number.isNaN(value)) return null;
  const [name, family, unit, definition] = page.features[feature];
  const cohort = cohortOf(region, feature);
  const rank = percentile(cohort, value);
  const extreme = rank < 2.5 || rank > 97.5;
  if (unusualOnly && !extreme) return null;
  const row = document.createElement("tr");
  row.title = `${name}: ${definition}`;
  row.classList.toggle("extreme", extreme);
  row.append(
    nameCell(name.replace(`original_${family}_`, "")),
    cell(sevenDigits(value), "n"),
    cell(unit),
    cell(rank.toFixed(0), "n"),
    cell(Number.isFinite(value) ? strip(cohort, value) : ""),
  );
  return row;
}

// Rows of all features that are looked for, a table body for each family that has any; returns how many.
function drawValues(table, region, scan, sought, unusualOnly) {
  for (const old of [...table.tBodies]) old.remove();
  let shown = 0;
  for (const [family, title] of page.families) {
    const rows = [];
    page.features.forEach(([name, of], feature) => {
      if (of !== family || !name.toLowerCase().includes(sought)) return;
      const row = valueRow(region, feature, scan, unusualOnly);
      if (row) rows.push(row);
    });
    if (!rows.length) continue;
    const heading = document.createElement("th");
    heading.colSpan = 5;
    heading.scope = "rowgroup";
    heading.textContent = title;
    const body = table.createTBody();
    body.insertRow().append(heading);
    body.append(...rows);
    shown += rows.length;
  }
  return shown;
}
