// The page: what is open, what is at work, and the way between them.

import { get, post, remove, upload } from "./api.js";
import { $, ask, button, duration, h, icon, say, toast, told } from "./dom.js";
import { Work } from "./work.js";
import { showHelp } from "./help.js";
import { KEYS, obey } from "./keys.js";

const VERBS = {
  look: "Looking at the video", copy: "Preparing it for the browser", segment: "Finding objects",
  thumbs: "Taking pictures", draw: "Drawing the export", score: "Scoring", teach: "Teaching the model", follow: "Following what you pointed at",
};
const QUIET = ["thumbs"];

const page = { session: null, work: null, jobs: new Map(), timer: null, uploads: new Set() };

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
}

function toggleTheme() {
  const { theme } = document.documentElement.dataset;
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(dark ? "light" : "dark");
}

// --- work in progress ---

function jobText(job) {
  const other = page.work?.project.id !== job.project && page.session.projects.find((project) => project.id === job.project);
  const verb = `${VERBS[job.kind] ?? job.kind}${other ? ` (${other.name})` : ""}`;
  if (job.state === "waiting") return `${verb}: waits for ${job.ahead} other${job.ahead === 1 ? "" : "s"}`;
  if (job.task === "starting" || !job.total) return `${verb} …`;
  const left = job.left === null ? "" : `, ${duration(job.left)} left`;
  const what = job.kind === "teach" ? "step" : "frame";
  return `${verb}: ${what} ${job.done.toLocaleString("en")} of ${job.total.toLocaleString("en")}${left}`;
}

function showJobs() {
  const active = [...page.jobs.values()].filter((job) => ["waiting", "running"].includes(job.state) && !QUIET.includes(job.kind));
  const box = $("jobs");
  box.hidden = active.length + page.uploads.size === 0;
  const known = new Map([...box.children].map((row) => [row.dataset.key, row]));
  const rows = [];
  for (const sent of page.uploads) rows.push(row(known, sent.key, `Sending ${sent.name}`, sent.done, sent.total, null));
  for (const job of active) {
    rows.push(row(known, job.id, jobText(job), job.state === "running" ? job.done : 0, job.total, () => cancel(job)));
  }
  box.replaceChildren(...rows);
}

function row(known, key, text, done, total, cancelled) {
  const old = known.get(key);
  const element = old ?? h("div", { class: "job" }, h("span", { class: "job-text" }), h("progress", { "aria-label": text }),
    cancelled && button("Cancel", cancelled, { class: "small" }));
  element.dataset.key = key;
  element.querySelector(".job-text").textContent = text;
  const bar = element.querySelector("progress");
  bar.max = total || 1;
  if (total) bar.value = done;
  else bar.removeAttribute("value");
  return element;
}

async function cancel(job) {
  await told(remove(`/api/jobs/${job.id}`));
  await refresh();
}

async function refresh() {
  clearTimeout(page.timer);
  let session;
  try {
    session = await get("/api/session");
  } catch (error) {
    if (!page.lost) toast(error.message, "error");
    page.lost = true;
    page.timer = setTimeout(refresh, 3000);
    return;
  }
  page.lost = false;
  page.session = session;
  const before = page.jobs;
  page.jobs = new Map(session.jobs.map((job) => [job.id, job]));
  for (const job of session.jobs) {
    const old = before.get(job.id);
    if (["done", "failed", "cancelled"].includes(job.state) && old && old.state !== job.state) await ended(job, session);
  }
  showJobs();
  if (!page.work) showStart();
  const busy = session.jobs.some((job) => ["waiting", "running"].includes(job.state));
  if (busy) page.timer = setTimeout(refresh, 500);
}

async function ended(job, session) {
  if (job.state === "failed" && (page.work || job.kind !== "look")) toast(`${VERBS[job.kind] ?? job.kind}: ${job.error}`, "error");
  if (job.kind === "look" && job.state === "done") { // which takes nobody away from what is being looked at
    const { name } = session.projects.find((project) => project.id === job.result.project) ?? { name: "The video" };
    if (page.work) toast(`${name} is added. The button “chronomask” above lists all videos.`);
    else await openProject(job.result.project);
  } else if (page.work && page.work.project.id === job.project) await page.work.jobEnded(job);
  if (job.kind === "segment" && job.state === "done") say("The objects are found.");
}

// --- the start ---

async function send(files) {
  for (const file of files) {
    const sent = { key: `upload-${file.name}-${Math.random()}`, name: file.name, done: 0, total: file.size };
    const most = page.session.limits.uploadBytes;
    if (file.size > most) {
      toast(`${file.name}: ${Math.round(file.size / 1e6).toLocaleString("en")} MB; at most ${Math.round(most / 1e6).toLocaleString("en")} MB are taken. Larger files: chronomask web ${file.name}`, "error");
      continue;
    }
    page.uploads.add(sent);
    showJobs();
    const job = await told(upload("/api/projects", file, (done) => { sent.done = done; showJobs(); }));
    if (job) page.jobs.set(job.id, job);
    page.uploads.delete(sent);
    await refresh();
  }
}

async function takeSample() {
  const job = await told(post("/api/sample"));
  if (job) page.jobs.set(job.id, job);
  await refresh();
}

function showStart() {
  const start = $("start");
  const session = page.session;
  if (!session) return;
  const input = h("input", { type: "file", id: "file", accept: session.limits.endings.join(",") + ",video/*", multiple: true, class: "unseen",
    onchange: (event) => send([...event.target.files]) });
  const drop = h("label", { class: "drop", for: "file" }, icon("upload"),
    h("strong", {}, "Drop a video here"), h("span", {}, "or choose one from this computer"));
  const projects = [...session.projects].reverse();
  // Why the last video was not taken is said until something else is begun.
  const last = session.jobs.at(-1);
  const refused = last?.kind === "look" && last.state === "failed" && last.error;
  const key = JSON.stringify([projects, session.sample, refused]);
  if (start.dataset.key === key) return;
  start.dataset.key = key;
  start.replaceChildren(...[
    h("h1", {}, "Every object in your video, found and followed"),
    h("p", { class: "lead" }, "Look at what the model found, correct it, and export masks, cut-outs or an overlay. Everything stays on this computer."),
    refused && h("p", { class: "warning", role: "alert" }, refused),
    input, drop,
    session.sample && h("p", { class: "sample" }, "No video at hand? ", button("Take the sample", takeSample, { class: "link" })),
    projects.length > 0 && h("section", { class: "projects", "aria-label": "Your videos" }, h("h2", {}, "Your videos"),
      h("ul", {}, projects.map((project) => h("li", {},
        h("button", { type: "button", class: "project", onclick: () => openProject(project.id) },
          h("strong", {}, project.name),
          h("span", {}, `${project.found ? "" : "no objects yet, "}${new Date(project.created * 1000).toLocaleString()}`)),
        button(`Remove ${project.name}`, () => forget(project), { icon: "trash", iconOnly: true, class: "quiet" })))))].filter(Boolean));
}

async function forget(project) {
  const sure = await ask(`Remove ${project.name}?`, (done) => [
    h("p", {}, "Its tracks, corrections and exports are removed for good. A video that you named by command stays where it is."),
    h("div", { class: "dialog-buttons" }, button("Keep", () => done(null)), button("Remove", () => done(true), { class: "danger" }))]);
  if (!sure) return;
  await told(remove(`/api/projects/${project.id}`));
  await refresh();
}

async function openProject(id) {
  const project = await told(get(`/api/projects/${id}`));
  if (!project) return;
  closeWork();
  $("start").hidden = true;
  $("work").hidden = false;
  $("project-buttons").hidden = false;
  $("title").textContent = project.name;
  document.title = `${project.name} · chronomask`;
  history.replaceState(null, "", `#${id}`);
  page.work = new Work(project, { refresh, jobs: () => [...page.jobs.values()].filter((job) => job.project === id) });
  window.chronomask = page.work; // for tests, and for the curious
  await page.work.open();
}

function closeWork() {
  page.work?.close();
  page.work = null;
  window.chronomask = null;
}

function goHome() {
  closeWork();
  $("work").hidden = true;
  $("start").hidden = false;
  $("project-buttons").hidden = true;
  $("title").textContent = "";
  $("saved").textContent = "";
  document.title = "chronomask";
  history.replaceState(null, "", "/");
  showStart();
  refresh();
}

function listen() {
  $("home").addEventListener("click", goHome);
  $("page-buttons").append(
    button("Change between dark and light", toggleTheme, { icon: "sun", iconOnly: true, class: "quiet" }),
    button("Keys and help", () => showHelp(KEYS), { icon: "help", iconOnly: true, class: "quiet" }));
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      document.body.classList.toggle("dragging", kind === "dragover");
      if (kind === "drop") send([...event.dataTransfer.files]);
    });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
  document.addEventListener("keydown", (event) => page.work && obey(page.work, event));
}

async function begin() {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
  listen();
  await refresh();
  if (!page.session) return;
  const wanted = location.hash.slice(1);
  const known = page.session.projects.map((project) => project.id);
  const looking = page.session.jobs.some((job) => job.kind === "look" && ["waiting", "running"].includes(job.state));
  if (known.includes(wanted)) await openProject(wanted);
  else if (known.length === 1 && !looking) await openProject(known[0]);
  else {
    $("start").hidden = false;
    showStart();
  }
}

begin();
