// The table of scans: thumbnails as they come into view, sorting, finding, and the way from the address to what it names.

const gallery = document.getElementById("gallery");
const rows = [...gallery.tBodies[0].rows];
const words = new Map(rows.map((row) => [row, [...row.querySelectorAll(".find")].map((c) => c.textContent).join(" ").toLowerCase()]));

const shownRows = () => [...gallery.tBodies[0].rows].filter((row) => !row.hidden);
const shownScans = () => shownRows().map((row) => Number(row.dataset.place));

function loadThumbnail(image) {
  image.src = pictureSource(image.dataset.picture);
  inView.unobserve(image);
}

const inView = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => loadThumbnail(entry.target)),
  { rootMargin: "600px" },
);
const thumbnails = [...gallery.querySelectorAll("img[data-picture]")];
thumbnails.forEach((image) => inView.observe(image));
addEventListener("beforeprint", () => thumbnails.filter((image) => !image.src).forEach(loadThumbnail));

function filter() {
  const sought = part("find").value.trim().toLowerCase().split(/\s+/);
  const kind = document.querySelector("[name=show]:checked").value;
  for (const row of rows) {
    row.hidden = !row.dataset.kinds.split(" ").includes(kind) || !sought.every((word) => words.get(row).includes(word));
  }
  const count = shownRows().length;
  const all = `${rows.length} ${rows.length === 1 ? "scan" : "scans"}`;
  part("count").textContent = count === rows.length ? all : `${count} of ${all}`;
  part("none").hidden = count > 0;
}

function compare(one, other) {
  const numbers = [one, other].map(Number);
  return numbers.some(Number.isNaN) ? one.localeCompare(other, undefined, { numeric: true }) : numbers[0] - numbers[1];
}

// Scans without the value come last, up and down.
function sort(heading) {
  const down = heading.getAttribute("aria-sort") === "ascending";
  const column = heading.cellIndex;
  const key = new Map(rows.map((row) => [row, row.cells[column].dataset.key]));
  rows.sort((a, b) => (key.get(a) === "") - (key.get(b) === "") || (down ? -1 : 1) * compare(key.get(a), key.get(b)));
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  gallery.tBodies[0].append(...rows);
}

function focusScan(scan) {
  const row = rows.find((candidate) => Number(candidate.dataset.place) === scan);
  if (row && !row.hidden) row.querySelector("a").focus();
}

function goTo(address) {
  const named = new URLSearchParams(address.slice(1));
  if (named.has("scan")) {
    const scan = page.scans.indexOf(named.get("scan"));
    if (scan >= 0) openScan(scan);
    return;
  }
  if (viewer.open) viewer.close();
  if (!named.has("show") && !named.has("find")) return;
  const kind = [...document.querySelectorAll("[name=show]")].find((choice) => choice.value === (named.get("show") ?? "all"));
  if (kind) kind.checked = true;
  part("find").value = named.get("find") ?? "";
  filter();
  part("scans").scrollIntoView();
}

gallery.tHead.addEventListener("click", (event) => event.target.closest("button") && sort(event.target.closest("th")));
gallery.tBodies[0].addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  if (row && !event.target.closest("a") && !String(getSelection())) row.querySelector("a").click();
});
gallery.tBodies[0].addEventListener("keydown", (event) => {
  if (event.key === " ") event.target.click();
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const shown = shownRows();
  const next = step && shown[shown.indexOf(event.target.closest("tr")) + step];
  if (next) next.querySelector("a").focus();
  if (next || event.key === " ") event.preventDefault();
});
part("find").addEventListener("input", filter);
for (const choice of document.querySelectorAll("[name=show]")) choice.addEventListener("change", filter);
// A link to where the address is already would change nothing.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) goTo(link.hash);
});
addEventListener("hashchange", () => goTo(location.hash));
addEventListener("DOMContentLoaded", () => goTo(location.hash));
filter();
