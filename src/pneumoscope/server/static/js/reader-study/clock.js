// How long a film is looked at: the time runs while the page is seen and not paused.

export class Clock {
  constructor() {
    this.seconds = 0;
    this.since = null; // when it began to run, or null
    this.wanted = false;
    document.addEventListener("visibilitychange", () => this.follow());
  }

  /** Begin at so many seconds, which an earlier visit has counted. */
  start(seconds = 0) {
    this.seconds = seconds;
    this.since = null;
    this.wanted = true;
    this.follow();
  }

  stop() {
    this.wanted = false;
    this.follow();
  }

  go() {
    this.wanted = true;
    this.follow();
  }

  /** Seconds until now. */
  read() {
    return this.seconds + (this.since === null ? 0 : (performance.now() - this.since) / 1000);
  }

  follow() {
    const running = this.wanted && document.visibilityState === "visible";
    if (running && this.since === null) this.since = performance.now();
    if (!running && this.since !== null) {
      this.seconds = this.read();
      this.since = null;
    }
  }
}
