// The modal on top of the acting person's stack.

import { renderBlocks } from "./blocks.js";
import { el, emojied } from "./mrkdwn.js";

export class ModalHost {
  constructor(workspace) {
    this.workspace = workspace;
    this.shade = document.getElementById("shade");
    this.shown = "";
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && this.view) this.close(); });
  }

  show(view) {
    const stamp = view ? `${view.id} ${view.hash}` : "";
    if (stamp === this.shown) return;
    if (this.view?.id !== view?.id) this.values = {};
    this.shown = stamp;
    this.view = view;
    this.draw();
  }

  draw(wrong = {}) {
    const view = this.view;
    this.shade.hidden = !view;
    if (!view) return this.shade.replaceChildren();
    const submit = async (event) => {
      event.preventDefault();
      const outcome = await this.workspace.act("submit", { view_id: view.id, values: this.values });
      if (outcome.errors) this.draw(outcome.errors);
    };
    const form = el("form", { class: "modal", role: "dialog", "aria-modal": "true", onsubmit: submit },
      el("header", {}, el("span", {}, emojied(view.title.text)), el("button", { type: "button", "aria-label": "Close", onclick: () => this.close() }, "×")),
      renderBlocks(view.blocks, this.workspace.viewContext(view, this.values, wrong)),
      el("footer", {}, el("button", { class: "btn", type: "button", onclick: () => this.close() }, emojied(view.close?.text ?? "Close")),
        view.submit ? el("button", { class: "btn s-primary" }, emojied(view.submit.text)) : null));
    this.shade.replaceChildren(form);
    form.querySelector("input, select, textarea")?.focus();
  }

  close() {
    this.workspace.act("close", { view_id: this.view.id });
  }
}
