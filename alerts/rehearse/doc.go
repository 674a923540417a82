// Package rehearse tries alert rules on stories: arms of an experiment with a
// number for each pane of event time, and what somebody ought to be told, when.
//
// It builds the windows that such numbers would give on average, without noise
// but with the variances of the story's own counts, and steps the real engine
// through them. So a rule's author sees what a rule does at his traffic. How often
// noise alone makes it fire is not for it to say: that is what studies are for.
//
// It knows neither files nor the clock: internal/config reads the stories, and
// time is that of the story.
package rehearse
