/** Room beside every plot of a run, in pixels: the same for all, so that one crosshair runs straight through charts and heatmap. */
export const GUTTER = { left: 44, right: 62 };
