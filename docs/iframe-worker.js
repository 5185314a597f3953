// The search needs a worker, and a page that is opened from a folder may start none: a hidden frame stands in for it.
if (location.protocol === "file:") window.Worker = class extends EventTarget {
  constructor(url) {
    super();
    const frame = Object.assign(document.createElement("iframe"), { hidden: true });
    this.inside = document.body.appendChild(frame).contentWindow;
    this.loaded = new Promise(resolve => { this.inside.loaded = resolve; });
    this.inside.postMessage = data => setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })));
    this.inside.document.write(`<script src="${url}" onload="loaded()"></script>`);
    this.inside.document.close();
  }
  postMessage(data) { this.loaded.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data }))); }
};
