// Which step is shown: buttons, a slider, and playing through them.

import { byId } from './dom.js';

const LONGEST_PAUSE = 1700; // ms between steps when there are few
const WHOLE_SHOW = 14000; // ms at most, however many steps
const SHORTEST_PAUSE = 450;

export class Player {
  // shown(step): draw this step.
  constructor(shown) {
    this.shown = shown;
    this.timer = null;
    this.last = 0;
    this.step = 0;
    this.slider = byId('step');
    this.button = byId('play');
    this.slider.addEventListener('input', () => this.go(Number(this.slider.value)));
    this.button.addEventListener('click', () => (this.timer ? this.pause() : this.play()));
    const buttons = { first: () => 0, back: () => this.step - 1, forward: () => this.step + 1,
      last: () => this.last };
    for (const [id, target] of Object.entries(buttons)) {
      byId(`to-${id}`).addEventListener('click', () => this.go(target()));
    }
  }

  load(steps) {
    this.pause();
    this.last = steps - 1;
    this.slider.max = this.last;
    this.pace = Math.max(SHORTEST_PAUSE, Math.min(LONGEST_PAUSE, WHOLE_SHOW / steps));
  }

  get playing() {
    return this.timer !== null;
  }

  // The user chose a step, so playing stops there.
  go(step) {
    this.pause();
    this.show(step);
  }

  show(step) {
    this.step = Math.min(this.last, Math.max(0, step));
    this.slider.value = this.step;
    this.shown(this.step);
  }

  play() {
    if (this.step === this.last) this.show(0);
    this.label('Pause');
    this.timer = setInterval(() => {
      this.show(this.step + 1);
      if (this.step === this.last) this.pause();
    }, this.pace);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.label('Play');
  }

  label(text) {
    this.button.dataset.does = text.toLowerCase();
    this.button.querySelector('span').textContent = text;
  }
}
