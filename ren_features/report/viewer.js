// One scan, large: its picture, its facts and its values. The address says which (#scan=...), so that it can be linked to.

const viewer = document.getElementById("viewer");
const picture = document.getElementById("viewer-picture");
const part = (name) => document.getElementById(name);
let shownScan = -1;

function pictureSource(id) {
  const block = document.getElementById(id);
  return block && `data:image/webp;base64,${block.textContent}`;
}

function openScan(scan) {
  shownScan = scan;
  part("viewer-title").textContent = page.scans[scan];
  const source = pictureSource(`p${scan}`);
  picture.hidden = !source;
  part("viewer-unpictured").hidden = Boolean(source);
  if (source) picture.src = source;
  picture.alt = `Coronal, sagittal and axial slice of ${page.scans[scan]} with its structures outlined`;
  part("viewer-facts").replaceChildren(part(`d${scan}`).content.cloneNode(true));
  showPlace();
  showValues();
  if (!viewer.open) viewer.showModal();
}

function showPlace() {
  const scans = shownScans();
  const place = scans.indexOf(shownScan);
  part("viewer-place").textContent = place < 0 ? "" : `${place + 1} of ${scans.length}`;
  // Not `disabled`: a button that has the focus would lose it, and the arrow keys with it.
  part("previous").ariaDisabled = String(place <= 0);
  part("next").ariaDisabled = String(place < 0 || place === scans.length - 1);
}

function showValues() {
  const region = viewer.querySelector("[name=region]:checked");
  if (!region) return;
  const sought = part("feature").value.trim().toLowerCase();
  const count = drawValues(part("values"), region.value, shownScan, sought, part("unusual").checked);
  const scans = page.features.length ? cohortOf(region.value, 0).length : 0;
  part("values-note").textContent = count
    ? `${count} values of ${region.value}, among ${scans} ${scans === 1 ? "scan" : "scans"}`
    : `no values of ${region.value}${sought || part("unusual").checked ? " like that" : ""}`;
}

function addressOf(scan) {
  return `#scan=${encodeURIComponent(page.scans[scan])}`;
}

function leaf(step) {
  const scans = shownScans();
  const place = scans.indexOf(shownScan);
  const scan = place < 0 ? undefined : scans[place + step];
  if (scan === undefined) return;
  history.replaceState(null, "", addressOf(scan));
  openScan(scan);
}

viewer.addEventListener("close", () => {
  // By now another scan may have been chosen.
  if (location.hash === addressOf(shownScan)) history.replaceState(null, "", location.pathname + location.search);
  focusScan(shownScan);
});
viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
viewer.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && event.target.tagName !== "INPUT" && !event.altKey && !event.ctrlKey && !event.metaKey) leaf(step);
});
part("previous").addEventListener("click", () => leaf(-1));
part("next").addEventListener("click", () => leaf(1));
part("close").addEventListener("click", () => viewer.close());
part("feature").addEventListener("input", showValues);
part("unusual").addEventListener("change", showValues);
for (const region of viewer.querySelectorAll("[name=region]")) region.addEventListener("change", showValues);
