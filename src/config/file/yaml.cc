#include "config/file/yaml.h"

#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/node/node.h>  // defines what parser.h declares
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <utility>

#include "config/file/yaml_text.h"

namespace gw::config {
namespace {

using api::Node;

// The tags that say what a node is anyway. Others ask for a type that no field has, or for code to
// be run (!!python/object): to drop them would change what was written.
constexpr std::string_view kTextTag = "tag:yaml.org,2002:str";
constexpr std::string_view kScalarTags[] = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
                                            "tag:yaml.org,2002:bool"};
constexpr std::string_view kListTags[] = {"tag:yaml.org,2002:seq"};
constexpr std::string_view kMapTags[] = {"tag:yaml.org,2002:map"};

// Without a tag a node has "?" or nothing.
bool KnownTag(std::string_view tag, std::span<const std::string_view> known) {
  return tag == "?" || tag.empty() || std::find(known.begin(), known.end(), tag) != known.end();
}

// How much of the limits a part of a document takes.
struct Extent {
  size_t nodes = 0;
  size_t bytes = 0;
  size_t depth = 0;  // levels of maps and lists, 0 for a scalar
};

Extent ExtentOf(const Node& node) {
  Extent extent{1, node.text.size(), 0};
  for (const Node::Key& key : node.keys) extent.bytes += key.name.size();
  for (const Node& item : node.items) {
    const Extent part = ExtentOf(item);
    extent.nodes += part.nodes;
    extent.bytes += part.bytes;
    extent.depth = std::max(extent.depth, part.depth);
  }
  if (node.is_map() || node.is_list()) ++extent.depth;
  return extent;
}

// A key for a message. One that is long for a key may be a line of a private key that lost its
// indentation.
std::string Shown(const std::string& key) {
  constexpr size_t kShownMax = 40;
  if (key.size() <= kShownMax) return api::Quoted(key);
  return "a text of " + std::to_string(key.size()) + " characters";
}

std::string At(const YAML::Mark& mark) {
  return std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": ";
}

// Builds Nodes from the parser's events. yaml-cpp cannot be told to stop from within an event other
// than by an exception, so after an error the remaining events are let pass.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, const FileLimits& limits) : text_(text), limits_(limits) {}

  const std::string& error() const { return error_; }
  // To be called when the text is at its end.
  void CheckLastQuote();
  std::optional<Node> TakeDocument() { return std::exchange(document_, std::nullopt); }

  void OnDocumentStart(const YAML::Mark&) override {
    open_.clear();
    anchors_.clear();
    document_.reset();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Place(mark, NewNode(Node::Kind::kNull, mark), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, Node::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    Open(mark, tag, anchor, Node::Kind::kMap);
    if (!open_.empty()) open_.back().block = style == YAML::EmitterStyle::Block;
  }
  void OnMapEnd() override { Close(); }

 private:
  // A map or list that is not complete yet.
  struct Frame {
    Node node;
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    bool block = false;        // a map without braces
    bool has_key = false;      // of a map: its last key waits for a value
    size_t key_at = 0;         // where that key stands in the text
    std::vector<Node> merged;  // values of its merge keys
    bool merges = false;       // the next value belongs to a merge key
  };

  static Node NewNode(Node::Kind kind, const YAML::Mark& mark) {
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    return node;
  }

  void Fail(const YAML::Mark& mark, std::string_view message) {
    if (error_.empty()) error_ = At(mark).append(message);
  }
  // Takes from the limits; false, and an error, if one is reached.
  bool Spend(const YAML::Mark& mark, const Extent& extent);
  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind);
  void Close();
  void Place(const YAML::Mark& mark, Node node, YAML::anchor_t anchor);
  void PlaceInMap(const YAML::Mark& mark, Frame& frame, Node node);
  void Merge(Frame* frame);

  const std::string_view text_;
  const FileLimits& limits_;
  std::string error_;
  std::optional<YAML::Mark> last_quoted_;
  std::vector<Frame> open_;
  std::map<YAML::anchor_t, std::pair<Node, Extent>> anchors_;  // of this document
  std::optional<Node> document_;
  size_t nodes_ = 0;  // of the file
  size_t bytes_ = 0;
};

bool Builder::Spend(const YAML::Mark& mark, const Extent& extent) {
  nodes_ += extent.nodes;
  bytes_ += extent.bytes;
  if (nodes_ > limits_.nodes_max) {
    Fail(mark, "more than " + std::to_string(limits_.nodes_max) + " values (limit config_nodes)");
  } else if (bytes_ > limits_.expanded_bytes_max) {
    Fail(mark, "more than " + std::to_string(limits_.expanded_bytes_max) +
                   " bytes of text (limit config_expanded_bytes)");
  } else if (open_.size() + extent.depth > limits_.depth_max) {
    Fail(mark, "nested deeper than " + std::to_string(limits_.depth_max) +
                   " levels (limit config_depth)");
  }
  return error_.empty();
}

void Builder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (!error_.empty()) return;
  const auto known = anchors_.find(anchor);
  if (known == anchors_.end()) {
    Fail(mark, "an alias stands within what it refers to");
    return;
  }
  if (Spend(mark, known->second.second)) Place(mark, known->second.first, 0);
}

void Builder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       const std::string& value) {
  if (!error_.empty()) return;
  Node node = NewNode(Node::Kind::kScalar, mark);
  if (tag != "?") last_quoted_ = mark;
  // "?" is a plain scalar, "!" a quoted one.
  node.quoted = tag == "!" || tag == kTextTag;
  if (!node.quoted && !KnownTag(tag, kScalarTags)) {
    Fail(mark, "the tag " + api::Quoted(tag) + " is not supported");
    return;
  }
  node.text = value;
  if (Spend(mark, {1, value.size(), 0})) Place(mark, std::move(node), anchor);
}

void Builder::Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                   Node::Kind kind) {
  if (!error_.empty()) return;
  const bool is_list = kind == Node::Kind::kList;
  if (tag != "!" && !KnownTag(tag, is_list ? kListTags : kMapTags)) {
    Fail(mark, "the tag " + api::Quoted(tag) + " is not supported");
    return;
  }
  if (!open_.empty() && open_.back().node.is_map() && !open_.back().has_key) {
    Fail(mark, "a key must be text");
    return;
  }
  if (!Spend(mark, {1, 0, 1})) return;
  open_.push_back({.node = NewNode(kind, mark), .mark = mark, .anchor = anchor, .merged = {}});
}

void Builder::Close() {
  if (!error_.empty()) return;
  Frame frame = std::move(open_.back());
  open_.pop_back();
  Merge(&frame);
  Place(frame.mark, std::move(frame.node), frame.anchor);
}

void Builder::Place(const YAML::Mark& mark, Node node, YAML::anchor_t anchor) {
  if (!error_.empty()) return;
  if (anchor != 0) {
    // The anchored copy counts as a use of its own, so that anchors are bounded as aliases are.
    const Extent extent = ExtentOf(node);
    if (!Spend(mark, {extent.nodes, extent.bytes, 0})) return;
    anchors_.insert_or_assign(anchor, std::pair(node, extent));
  }
  if (open_.empty()) {
    document_ = std::move(node);
  } else if (open_.back().node.is_list()) {
    open_.back().node.items.push_back(std::move(node));
  } else {
    PlaceInMap(mark, open_.back(), std::move(node));
  }
}

void Builder::PlaceInMap(const YAML::Mark& mark, Frame& frame, Node node) {
  if (frame.merges) {
    frame.merges = false;
    frame.has_key = false;
    const bool maps =
        node.is_map() ||
        (node.is_list() && std::all_of(node.items.begin(), node.items.end(),
                                       [](const Node& item) { return item.is_map(); }));
    if (!maps) {
      Fail(mark, "a merge key (<<) must have a map or a list of maps");
    } else if (node.is_map()) {
      frame.merged.push_back(std::move(node));
    } else {
      for (Node& item : node.items) frame.merged.push_back(std::move(item));
    }
    return;
  }
  if (frame.has_key) {
    frame.has_key = false;
    // yaml-cpp takes a line without a colon for a key without a value.
    const Node::Key& key = frame.node.keys.back();
    if (frame.block && node.kind == Node::Kind::kNull &&
        !ColonFollows(text_, frame.key_at, key.name)) {
      Fail(mark, "no \":\" after " + Shown(key.name));
      return;
    }
    frame.node.items.push_back(std::move(node));
    return;
  }
  if (node.kind != Node::Kind::kScalar) {
    Fail(mark, "a key must be text");
    return;
  }
  frame.has_key = true;
  frame.key_at = static_cast<size_t>(mark.pos);
  frame.merges = node.text == "<<" && !node.quoted;
  if (!frame.merges) frame.node.keys.push_back({std::move(node.text), node.line});
}

// yaml-cpp closes a quote that is still open where the text ends. It can only be the last one.
void Builder::CheckLastQuote() {
  if (last_quoted_ && !QuoteIsClosed(text_, static_cast<size_t>(last_quoted_->pos))) {
    Fail(*last_quoted_, "a quoted text has no end");
  }
}

// A merged key stands back behind one of the map itself and one merged before.
void Builder::Merge(Frame* frame) {
  if (frame->merged.empty()) return;
  std::set<std::string> names;
  for (const Node::Key& key : frame->node.keys) names.insert(key.name);
  for (Node& map : frame->merged) {
    for (size_t i = 0; i < map.items.size(); ++i) {
      if (!names.insert(map.keys[i].name).second) continue;
      frame->node.keys.push_back(std::move(map.keys[i]));
      frame->node.items.push_back(std::move(map.items[i]));
    }
  }
}

}  // namespace

YamlDocuments ReadYaml(std::string_view text, const FileLimits& limits) {
  YamlDocuments out;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  out.error = FaultyCharacter(text);
  if (!out.error.empty()) return out;
  Builder builder(text, limits);
  size_t documents = 0;
  // yaml-cpp reports errors by exceptions; none leaves this function.
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
      if (!builder.error().empty()) break;
      if (++documents > limits.documents_max) {
        out.error = "1:1: more than " + std::to_string(limits.documents_max) +
                    " documents (limit config_documents)";
        break;
      }
      std::optional<Node> document = builder.TakeDocument();
      if (document && document->kind != Node::Kind::kNull) {
        out.documents.push_back(std::move(*document));
      }
    }
    builder.CheckLastQuote();
    if (!builder.error().empty()) out.error = builder.error();
  } catch (const YAML::Exception& error) {
    out.error = builder.error().empty()
                    ? At(error.mark) + error.msg + TabHint(text, error.mark.line + 1)
                    : builder.error();
  } catch (const std::exception& error) {
    out.error = std::string("1:1: ") + error.what();
  }
  if (!out.error.empty()) out.documents.clear();
  return out;
}

}  // namespace gw::config
