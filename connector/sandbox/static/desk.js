// The desk: polls the CRM and the workspace for what has changed, and hands it to the two panes.

import { ask } from "./ask.js";
import { Crm } from "./crm.js";
import { Workspace } from "./workspace.js";

const byId = (id) => document.getElementById(id);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

async function keepUp(pane, ms) {
  for (;;) {
    try {
      await pane.refresh();
    } catch (error) {
      console.warn(String(error));
      await wait(2000);
    }
    await wait(document.hidden ? ms * 4 : ms);
  }
}

async function showProgress() {
  for (;;) {
    try {
      const crm = await ask("/sandbox/crm/summary");
      const wanted = Number(new URLSearchParams(location.search).get("leads") ?? 500);
      const share = Math.min(1, crm.live / wanted);
      byId("progress-bar").style.width = `${Math.round(share * 100)}%`;
      const sent = crm.ledger.marks.genuine?.events ?? 0;
      byId("progress-text").textContent = !crm.started_at
        ? `${crm.history.toLocaleString()} past contacts in the CRM; waiting for the campaign`
        : `${crm.live} new leads · ${sent.toLocaleString()} CRM events sent · ${crm.finished ? "campaign played" : "campaign running"}`;
    } catch (error) {
      byId("progress-text").textContent = "The CRM does not answer";
    }
    await wait(1000);
  }
}

const people = Object.fromEntries((await ask("/sandbox/people")).map((person) => [person.slack_id, person]));
const acting = byId("acting");
for (const person of Object.values(people)) {
  const about = person.role === "rep" ? person.team : person.role;
  acting.append(new Option(`${person.name} · ${about}`, person.slack_id));
}
acting.value = new URLSearchParams(location.search).get("as") ?? acting.options[0].value;

const crm = new Crm(people);
const workspace = new Workspace(people, () => acting.value, (id) => crm.open(id));
acting.addEventListener("change", () => workspace.actAs());
workspace.actAs();
keepUp(workspace, 600);
keepUp(crm, 900);
showProgress();
